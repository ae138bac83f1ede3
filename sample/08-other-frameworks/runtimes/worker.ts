import {
  createSessionVerifier,
  forwardRefresh,
  PrimitiveClaim,
  sessionErrorResponse,
  type SessionVerifier,
} from 'nest-sessions/verify';

const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => undefined });
let verifier: SessionVerifier | undefined;

async function respond(request: Request, apiDomain: string): Promise<Response> {
  // Kept between requests for its key set; workers know their settings only once there is a request.
  const sessions = (verifier ??= createSessionVerifier({ apiDomain }));
  switch (`${request.method} ${new URL(request.url).pathname}`) {
    case 'GET /me':
    case 'POST /orders':
      return Response.json({ userId: (await sessions.verify(request)).userId });
    case 'GET /reports':
      await sessions.verify(request, { claims: [plan.validators.hasValue('pro')] });
      return Response.json({ reports: [] });
    // For browsers that know only this origin.
    case 'POST /auth/session/refresh':
      return forwardRefresh(request, { apiDomain });
    default:
      return Response.json({ message: 'Not Found' }, { status: 404 });
  }
}

/** Guarded routes wherever `fetch` handlers run: Cloudflare's workers, Bun, Deno. */
export default {
  async fetch(request: Request, { API_DOMAIN }: { API_DOMAIN: string }): Promise<Response> {
    try {
      return await respond(request, API_DOMAIN);
    } catch (error) {
      const response = sessionErrorResponse(error);
      if (response === undefined) throw error;
      return response;
    }
  },
};
