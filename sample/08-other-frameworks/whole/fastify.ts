import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { SessionClaimValidator, SessionContainer, Sessions } from 'nest-sessions/standalone';
import { onlyPro } from '../plan.js';

/** An API on Fastify that signs in, refreshes and guards. */
export function createFastify(sessions: Sessions): FastifyInstance {
  const verified = new WeakMap<FastifyRequest, SessionContainer>();
  const userOf = (request: FastifyRequest): object => ({ userId: verified.get(request)?.getUserId() });

  const guard =
    (...claims: SessionClaimValidator[]) =>
    async (req: FastifyRequest, res: FastifyReply): Promise<void> => {
      const session = await sessions.verify(
        { req, res },
        { overrideGlobalClaimValidators: (global) => [...global, ...claims] },
      );
      verified.set(req, session);
    };

  const app = fastify({ forceCloseConnections: true });
  // Refresh, sign-out and the keys, below `/auth`: as a hook, so that no route has to list them.
  app.addHook('preHandler', async (req, res) => {
    if (await sessions.handle({ req, res })) return res;
  });
  app.setErrorHandler(async (error, req, res) => {
    if (!(await sessions.respond(error, { req, res }))) throw error;
    return res;
  });
  app.post('/login', async (req, res) => {
    const { userId } = req.body as { userId: string }; // a demonstration has no passwords
    await sessions.createNewSession({ req, res }, { userId });
    return { userId };
  });
  app.get('/me', { preHandler: guard() }, userOf);
  app.post('/orders', { preHandler: guard() }, userOf);
  app.get('/reports', { preHandler: guard(onlyPro) }, () => ({ reports: [] }));
  return app;
}
