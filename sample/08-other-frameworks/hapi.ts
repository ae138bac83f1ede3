import { server as createServer, type Request, type ResponseObject, type ResponseToolkit } from '@hapi/hapi';
import {
  createSessionVerifier,
  forwardRefresh,
  sessionErrorResponse,
  type SessionClaimValidator,
} from 'nest-sessions/verify';
import { nodeHeaders, toRequest } from './node-http.js';
import { onlyPro } from './plan.js';
import type { Running, Settings } from './settings.js';

/** Guarded routes on hapi: an authentication scheme, and a strategy for each set of claims. */
export async function startHapi({ port, apiDomain }: Settings): Promise<Running> {
  const sessions = createSessionVerifier({ apiDomain });
  const app = createServer({ port, host: '127.0.0.1' });

  app.auth.scheme('session', (_server, options) => ({
    authenticate: async ({ raw }, h) => {
      const { claims } = options as { claims: SessionClaimValidator[] };
      const { userId } = await sessions.verify(toRequest(raw.req), { claims });
      return h.authenticated({ credentials: { user: { userId } } });
    },
  }));
  app.auth.strategy('session', 'session', { claims: [] });
  app.auth.strategy('pro', 'session', { claims: [onlyPro] });

  // Responds to refusals as the browser client expects it.
  app.ext('onPreResponse', async ({ response }, h) => {
    const refusal = sessionErrorResponse(response);
    return refusal ? respond(h, refusal) : h.continue;
  });

  const userOf = ({ auth }: Request): object => ({ ...auth.credentials.user });
  app.route([
    { method: 'GET', path: '/me', options: { auth: 'session' }, handler: userOf },
    { method: 'POST', path: '/orders', options: { auth: 'session' }, handler: userOf },
    { method: 'GET', path: '/reports', options: { auth: 'pro' }, handler: () => ({ reports: [] }) },
    {
      // For browsers that know only this origin.
      method: 'POST',
      path: '/auth/session/refresh',
      handler: async ({ raw }, h) => respond(h, await forwardRefresh(toRequest(raw.req), { apiDomain })),
    },
  ]);
  app.events.on('stop', () => void sessions.close());
  await app.start();
  return { origin: app.info.uri, close: () => app.stop() };
}

async function respond(h: ResponseToolkit, response: Response): Promise<ResponseObject> {
  const result = h.response(await response.text()).code(response.status);
  for (const [name, value] of Object.entries(nodeHeaders(response))) {
    for (const line of [value].flat()) result.header(name, line, { append: name === 'set-cookie' });
  }
  return result;
}
