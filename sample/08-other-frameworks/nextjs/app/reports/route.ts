import { PrimitiveClaim } from 'nest-sessions/verify';
import { respondToRefusals, sessions } from '../../sessions';

const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => undefined });

export async function GET(request: Request): Promise<Response> {
  return respondToRefusals(async () => {
    await sessions.verify(request, { claims: [plan.validators.hasValue('pro')] });
    return Response.json({ reports: [] });
  });
}
