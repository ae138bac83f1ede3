import Koa, { type Context, type Middleware } from 'koa';
import {
  createSessionVerifier,
  forwardRefresh,
  sessionErrorResponse,
  type SessionClaimValidator,
} from 'nest-sessions/verify';
import { listen, nodeHeaders, toRequest } from './node-http.js';
import { onlyPro } from './plan.js';
import type { Running, Settings } from './settings.js';

/** Guarded routes on Koa. A router would do what `route` does. */
export async function startKoa({ port, apiDomain }: Settings): Promise<Running> {
  const sessions = createSessionVerifier({ apiDomain });

  /** Keeps the session in `ctx.state`; what it throws goes to `onError`. */
  const guard = async (ctx: Context, ...claims: SessionClaimValidator[]): Promise<void> => {
    ctx.state['session'] = await sessions.verify(toRequest(ctx.req), { claims });
  };

  const onError: Middleware = async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const response = sessionErrorResponse(error);
      if (!response) throw error;
      await respond(ctx, response);
    }
  };

  const app = new Koa();
  app.use(onError);
  app.use(async (ctx) => {
    switch (`${ctx.method} ${ctx.path}`) {
      case 'GET /me':
      case 'POST /orders':
        await guard(ctx);
        ctx.body = { userId: ctx.state['session'].userId };
        break;
      case 'GET /reports':
        await guard(ctx, onlyPro);
        ctx.body = { reports: [] };
        break;
      // For browsers that know only this origin.
      case 'POST /auth/session/refresh':
        await respond(ctx, await forwardRefresh(toRequest(ctx.req), { apiDomain }));
    }
  });
  return listen(app.callback(), port, () => sessions.close());
}

async function respond(ctx: Context, response: Response): Promise<void> {
  ctx.set(nodeHeaders(response));
  ctx.body = await response.text();
  ctx.status = response.status;
}
