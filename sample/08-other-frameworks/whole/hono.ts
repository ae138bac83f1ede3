import { Hono, type MiddlewareHandler } from 'hono';
import type { SessionClaimValidator, SessionContainer, Sessions } from 'nest-sessions/standalone';
import { onlyPro } from '../plan.js';

interface Env {
  Variables: { session: SessionContainer };
}

/** An API on Hono that signs in, refreshes and guards: a `fetch` handler for any server. */
export function createFetch(sessions: Sessions): (request: Request) => Promise<Response> {
  const guard =
    (...claims: SessionClaimValidator[]): MiddlewareHandler<Env> =>
    async (c, next) => {
      const overrideGlobalClaimValidators = (global: SessionClaimValidator[]) => [...global, ...claims];
      c.set('session', await sessions.verify(c.req.raw, { overrideGlobalClaimValidators }));
      await next();
    };

  const app = new Hono<Env>();
  // Errors reach `sessions.fetch`, which responds to those about sessions.
  app.onError((error) => {
    throw error;
  });
  app.post('/login', async (c) => {
    const { userId } = await c.req.json<{ userId: string }>(); // a demonstration has no passwords
    await sessions.createNewSession(c.req.raw, { userId });
    return c.json({ userId });
  });
  app.get('/me', guard(), (c) => c.json({ userId: c.get('session').getUserId() }));
  app.post('/orders', guard(), (c) => c.json({ userId: c.get('session').getUserId() }));
  app.get('/reports', guard(onlyPro), (c) => c.json({ reports: [] }));
  // Refresh, sign-out and the keys, below `/auth`; then the routes of Hono.
  return async (request) => sessions.fetch(request, async (each) => app.fetch(each));
}
