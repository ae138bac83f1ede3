import type { INestApplication } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADAPTERS, type Adapter, TestApplication } from '../support/test-application.js';

/** Everything that the module adds to an application, as docs and README say it. */
const DOCUMENTED = [
  'GET /auth/.well-known/openid-configuration',
  'GET /auth/jwt/jwks.json',
  'POST /auth/session/refresh',
  'POST /auth/signout',
];

/** The paths where others keep routes that administer, inspect or list. */
const ELSEWHERE_ADMINISTRATION = [
  '/auth', '/auth/', '/auth/session', '/auth/sessions', '/auth/session/list', '/auth/session/introspect', '/auth/introspect',
  '/auth/token', '/auth/tokens', '/auth/user', '/auth/users', '/auth/admin', '/auth/dashboard', '/auth/dashboard/api/users',
  '/auth/config', '/auth/debug', '/auth/jwt', '/auth/jwt/keys', '/auth/.well-known/jwks.json', '/auth/oauth/introspect',
  '/auth/session/revoke', '/auth/revoke', '/auth/health', '/auth/metrics', '/auth/telemetry',
  '/recipe/session', '/recipe/session/user', '/recipe/session/remove', '/recipe/session/verify', '/recipe/jwt', '/apiversion', '/hello',
  '/appid-public/recipe/session', '/config', '/admin', '/metrics', '/health', '/introspect', '/.well-known/jwks.json',
]; // prettier-ignore

interface ExpressLayer {
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
}

/** Collects what an adapter's router is told, from before the application starts. */
function routerOf(adapter: Adapter): { watch: (app: INestApplication) => void; routes: () => string[] } {
  const seen: string[] = [];
  let express: { router: { stack: ExpressLayer[] } } | undefined;
  return {
    watch: (app) => {
      const instance: unknown = app.getHttpAdapter().getInstance();
      if (adapter === 'express') express = instance as typeof express;
      else
        (
          instance as { addHook(name: string, hook: (route: { method: unknown; url: string }) => void): void }
        ).addHook('onRoute', ({ method, url }) =>
          seen.push(...[method].flat().map((one) => `${String(one)} ${url}`)),
        );
    },
    routes: () => {
      for (const { route } of express?.router.stack ?? []) {
        for (const method of Object.keys(route?.methods ?? {}))
          seen.push(`${method.toUpperCase()} ${route?.path ?? ''}`);
      }
      return seen;
    },
  };
}

describe.each(ADAPTERS)('the routes of an application with the module and nothing else on %s', (adapter) => {
  const router = routerOf(adapter);
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter).controllers().configure(router.watch).start();
  });

  afterAll(() => application.close());

  it('are those that are documented, for one tenant segment too, and no other (S109)', () => {
    const inOneForm = router
      .routes()
      .map((route) => route.replace(/\/$/, '').replace('/auth/:tenantId/', '/auth/'))
      .filter((route) => !route.startsWith('HEAD ')); // Fastify adds one to each GET
    expect([...new Set(inOneForm)].toSorted()).toEqual(DOCUMENTED);
  });

  it.each(['GET', 'POST', 'PUT', 'DELETE'])('administer and list nothing: %s (S109)', async (method) => {
    for (const path of ELSEWHERE_ADMINISTRATION) {
      expect([path, (await application.send({ method, path })).status]).toEqual([path, 404]);
    }
  });

  it('show no session and no token to anybody, with a session or without (S109)', async () => {
    const container = await application.sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
    const { accessToken, refreshToken } = container.getAllSessionTokensDangerously();
    for (const route of DOCUMENTED) {
      const [method = '', path = ''] = route.split(' ');
      for (const headers of [{}, { authorization: `Bearer ${accessToken}` }]) {
        const { text } = await application.send({ method, path, headers });
        for (const secret of [accessToken, String(refreshToken), container.getHandle(), 'PRIVATE', '"d":'])
          expect(text).not.toContain(secret);
      }
    }
  });
});
