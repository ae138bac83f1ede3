import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import {
  createSessionVerifier,
  forwardRefresh,
  sessionErrorResponse,
  type SessionClaimValidator,
  type VerifiedSession,
} from 'nest-sessions/verify';
import { nodeHeaders, toRequest } from './node-http.js';
import { onlyPro } from './plan.js';
import type { Running, Settings } from './settings.js';

declare module 'fastify' {
  interface FastifyRequest {
    session: VerifiedSession;
  }
}

/** Guarded routes on Fastify. */
export async function startFastify({ port, apiDomain }: Settings): Promise<Running> {
  const sessions = createSessionVerifier({ apiDomain });

  /** Keeps the session on the request; what it throws goes to the error handler. */
  const guard =
    (...claims: SessionClaimValidator[]) =>
    async (request: FastifyRequest): Promise<void> => {
      request.session = await sessions.verify(toRequest(request.raw), { claims });
    };

  const respond = async (reply: FastifyReply, response: Response): Promise<FastifyReply> =>
    reply
      .code(response.status)
      .headers(nodeHeaders(response))
      .send(await response.text());

  const app = fastify({ forceCloseConnections: true });
  app.setErrorHandler(async (error, _request, reply) => {
    const response = sessionErrorResponse(error);
    if (!response) throw error;
    return respond(reply, response);
  });
  app.get('/me', { preHandler: guard() }, ({ session }) => ({ userId: session.userId }));
  app.post('/orders', { preHandler: guard() }, ({ session }) => ({ userId: session.userId }));
  app.get('/reports', { preHandler: guard(onlyPro) }, () => ({ reports: [] }));
  // For browsers that know only this origin.
  app.post('/auth/session/refresh', async ({ raw }, reply) =>
    respond(reply, await forwardRefresh(toRequest(raw), { apiDomain })),
  );
  app.addHook('onClose', () => sessions.close());
  return { origin: await app.listen({ port, host: '127.0.0.1' }), close: () => app.close() };
}
