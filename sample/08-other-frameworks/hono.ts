import { serve } from '@hono/node-server';
import { Hono, type MiddlewareHandler } from 'hono';
import {
  createSessionVerifier,
  forwardRefresh,
  sessionErrorResponse,
  type SessionClaimValidator,
  type VerifiedSession,
} from 'nest-sessions/verify';
import { onlyPro } from './plan.js';
import type { Running, Settings } from './settings.js';

interface Env {
  Variables: { session: VerifiedSession };
}

/** Guarded routes on Hono, whose requests and responses are already those of the verifier. */
export function createHono(apiDomain: string): Hono<Env> {
  const sessions = createSessionVerifier({ apiDomain });

  const guard =
    (...claims: SessionClaimValidator[]): MiddlewareHandler<Env> =>
    async (c, next) => {
      c.set('session', await sessions.verify(c.req.raw, { claims }));
      await next();
    };

  const app = new Hono<Env>();
  app.onError((error) => {
    const response = sessionErrorResponse(error);
    if (!response) throw error;
    return response;
  });
  app.get('/me', guard(), (c) => c.json({ userId: c.get('session').userId }));
  app.post('/orders', guard(), (c) => c.json({ userId: c.get('session').userId }));
  app.get('/reports', guard(onlyPro), (c) => c.json({ reports: [] }));
  // For browsers that know only this origin.
  app.post('/auth/session/refresh', (c) => forwardRefresh(c.req.raw, { apiDomain }));
  return app;
}

/** Serves it with Node; on Bun, Deno and workers `export default createHono(…)` is enough. */
export async function startHono({ port, apiDomain }: Settings): Promise<Running> {
  const { fetch } = createHono(apiDomain);
  return new Promise((resolve) => {
    const server = serve({ fetch, port, hostname: '127.0.0.1' }, (info) => {
      resolve({
        origin: `http://127.0.0.1:${info.port}`,
        close: () => new Promise((done) => void server.close(() => done())),
      });
    });
  });
}
