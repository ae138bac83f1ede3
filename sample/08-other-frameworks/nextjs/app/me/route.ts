import { answerRefusals, sessions } from '../../sessions';

export async function GET(request: Request): Promise<Response> {
  return answerRefusals(async () => {
    const { userId } = await sessions.verify(request);
    return Response.json({ userId });
  });
}
