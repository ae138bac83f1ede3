import { PrimitiveClaim } from 'nest-sessions/verify';
import { answerRefusals, sessions } from '../../sessions';

const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => undefined });

export async function GET(request: Request): Promise<Response> {
  return answerRefusals(async () => {
    await sessions.verify(request, { claims: [plan.validators.hasValue('pro')] });
    return Response.json({ reports: [] });
  });
}
