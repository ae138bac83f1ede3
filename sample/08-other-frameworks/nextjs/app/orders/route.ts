import { answerRefusals, sessions } from '../../sessions';

export async function POST(request: Request): Promise<Response> {
  return answerRefusals(async () => {
    const { userId } = await sessions.verify(request);
    return Response.json({ userId });
  });
}
