import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { SessionClaimValidator, Sessions } from 'nest-sessions/standalone';
import { onlyPro } from '../plan.js';

/** An API on Express that signs in, refreshes and guards. */
export function createExpress(sessions: Sessions): Express {
  const guard =
    (...claims: SessionClaimValidator[]): RequestHandler =>
    async (req, res, next) => {
      res.locals['session'] = await sessions.verify(
        { req, res },
        { overrideGlobalClaimValidators: (global) => [...global, ...claims] },
      );
      next();
    };

  /** Refresh, sign-out and the keys, below `/auth`. */
  const routes: RequestHandler = async (req, res, next) => {
    if (!(await sessions.handle({ req, res }))) next();
  };

  const onError: ErrorRequestHandler = async (error, req, res, next) => {
    if (!(await sessions.respond(error, { req, res }))) next(error);
  };

  const app = express();
  app.use(routes);
  app.post('/login', express.json(), async (req, res) => {
    const { userId } = req.body as { userId: string }; // a demonstration has no passwords
    await sessions.createNewSession({ req, res }, { userId });
    res.json({ userId });
  });
  app.get('/me', guard(), (_req, res) => void res.json({ userId: res.locals['session'].getUserId() }));
  app.post('/orders', guard(), (_req, res) => void res.json({ userId: res.locals['session'].getUserId() }));
  app.get('/reports', guard(onlyPro), (_req, res) => void res.json({ reports: [] }));
  app.use(onError);
  return app;
}
