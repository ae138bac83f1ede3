import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Sessions } from 'nest-sessions/standalone';
import { TestClock } from 'nest-sessions/testing';
import { listen } from '../../sample/08-other-frameworks/node-http.js';
import type { Running } from '../../sample/08-other-frameworks/settings.js';
import { createApiSessions } from '../../sample/08-other-frameworks/whole/create.js';
import { createExpress } from '../../sample/08-other-frameworks/whole/express.js';
import { createFastify } from '../../sample/08-other-frameworks/whole/fastify.js';
import { createFetch } from '../../sample/08-other-frameworks/whole/hono.js';
import { TEST_START_MS } from '../support/embedded.js';
import { switchedCore } from '../support/switched-core.js';
import { Service } from './session-api.js';

const LOOPBACK = '127.0.0.1';
const FRAMEWORKS: Readonly<Record<string, (sessions: Sessions) => Promise<Running>>> = {
  express: async (sessions) => listen(createExpress(sessions), 0, () => undefined),
  fastify: async (sessions) => {
    const app = createFastify(sessions);
    return { origin: await app.listen({ port: 0, host: LOOPBACK }), close: () => app.close() };
  },
  hono: async (sessions) => serveFetch(createFetch(sessions)),
};

async function serveFetch(fetch: (request: Request) => Promise<Response>): Promise<Running> {
  const server = serve({ fetch, port: 0, hostname: LOOPBACK });
  await new Promise((resolve) => void server.once('listening', resolve));
  return {
    origin: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

describe.each(Object.entries(FRAMEWORKS))('an API on %s, without Nest', (_name, start) => {
  const clock = new TestClock(TEST_START_MS);
  let service: Service;

  beforeEach(async () => {
    const core = await switchedCore(undefined, undefined);
    const sessions = createApiSessions('http://localhost:3000', { core, clock });
    await sessions.start();
    const running = await start(sessions);
    service = new Service({
      origin: running.origin,
      close: async () => {
        await running.close();
        await sessions.close();
      },
    });
  });

  it.each(['cookie', 'header'] as const)(
    'signs in, guards, refreshes and signs out, with the tokens in a %s',
    async (mode) => {
      const client = service.client(mode);
      expect(await client.get('/me')).toMatchObject({ status: 401, body: { message: 'unauthorised' } });
      expect((await client.post('/login', { userId: 'ben' })).status).toBe(200);
      expect(await client.get('/me')).toMatchObject({ status: 200, body: { userId: 'ben' } });
      expect((await client.post('/orders', { item: 'tea' })).status).toBe(200);
      clock.advanceSeconds(3601);
      expect(await client.get('/me')).toMatchObject({ status: 401, body: { message: 'try refresh token' } });
      expect((await client.refresh()).status).toBe(200);
      expect((await client.get('/me')).status).toBe(200);
      expect((await client.signOut()).status).toBe(200);
      expect((await client.get('/me')).status).toBe(401);
    },
  );

  it('responds with 403 and names the claim that a session lacks', async () => {
    const client = service.client('cookie');
    await client.post('/login', { userId: 'ben' });
    expect(await client.get('/reports')).toMatchObject({
      status: 403,
      body: { message: 'invalid claim', claimValidationErrors: [{ id: 'plan' }] },
    });
    await client.post('/login', { userId: 'ada' });
    expect((await client.get('/reports')).status).toBe(200);
  });

  it('ends a session whose refresh token was used twice', async () => {
    const owner = service.client('cookie');
    await owner.post('/login', { userId: 'ada' });
    const thief = owner.copy();
    await thief.refresh();
    await thief.get('/me');
    expect(await owner.refresh()).toMatchObject({ status: 401, body: { message: 'token theft detected' } });
    expect((await thief.refresh()).status).toBe(401);
  });
});
