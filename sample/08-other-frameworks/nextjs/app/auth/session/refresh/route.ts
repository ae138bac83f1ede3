import { forwardRefresh } from 'nest-sessions/verify';
import { respondToRefusals, apiDomain } from '../../../../sessions';

/** For browsers that know only this origin. */
export async function POST(request: Request): Promise<Response> {
  return respondToRefusals(async () => forwardRefresh(request, { apiDomain }));
}
