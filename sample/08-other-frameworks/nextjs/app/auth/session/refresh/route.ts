import { forwardRefresh } from 'nest-sessions/verify';
import { answerRefusals, apiDomain } from '../../../../sessions';

/** For browsers that know only this origin. */
export async function POST(request: Request): Promise<Response> {
  return answerRefusals(async () => forwardRefresh(request, { apiDomain }));
}
