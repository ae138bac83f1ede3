import { respondToRefusals, sessions } from '../../sessions';

export async function POST(request: Request): Promise<Response> {
  return respondToRefusals(async () => {
    const { userId } = await sessions.verify(request);
    return Response.json({ userId });
  });
}
