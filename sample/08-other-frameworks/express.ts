import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import {
  createSessionVerifier,
  forwardRefresh,
  sessionErrorResponse,
  type SessionClaimValidator,
} from 'nest-sessions/verify';
import { listen, sendResponse, toRequest } from './node-http.js';
import { onlyPro } from './plan.js';
import type { Running, Settings } from './settings.js';

/** Guarded routes on Express. */
export async function startExpress({ port, apiDomain }: Settings): Promise<Running> {
  const sessions = createSessionVerifier({ apiDomain });

  /** Keeps the session in `res.locals`; Express hands what it throws to `onError`. */
  const guard =
    (...claims: SessionClaimValidator[]): RequestHandler =>
    async (req, res, next) => {
      res.locals['session'] = await sessions.verify(toRequest(req), { claims });
      next();
    };

  const onError: ErrorRequestHandler = async (error, _req, res, next) => {
    const response = sessionErrorResponse(error);
    if (response) await sendResponse(response, res);
    else next(error);
  };

  const app = express();
  app.get('/me', guard(), (_req, res) => void res.json({ userId: res.locals['session'].userId }));
  app.post('/orders', guard(), (_req, res) => void res.json({ userId: res.locals['session'].userId }));
  app.get('/reports', guard(onlyPro), (_req, res) => void res.json({ reports: [] }));
  // For browsers that know only this origin.
  app.post('/auth/session/refresh', async (req, res) => {
    await sendResponse(await forwardRefresh(toRequest(req), { apiDomain }), res);
  });
  app.use(onError);
  return listen(app, port, () => sessions.close());
}
