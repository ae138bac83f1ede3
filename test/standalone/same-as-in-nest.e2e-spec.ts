import { describe, expect, it } from '@jest/globals';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient, ProofKey } from '../support/dpop-client.js';
import { ACCESS_VALIDITY_SEC } from '../support/embedded.js';
import type { HttpClient } from '../support/http-client.js';
import { WAYS, type ShopOptions } from '../support/standalone-shop.js';
import { play, type Notes, type Scenario } from './transcripts.js';

const REFRESH = '/auth/session/refresh';
/** One key, because tokens name it. */
const KEY = new ProofKey();

interface Row {
  readonly title: string;
  readonly scenario: Scenario;
  readonly options?: () => ShopOptions;
}

/** A session's whole life, with cookies or headers. */
function life(mode: 'cookie' | 'header'): Scenario {
  return async (notes: Notes) => {
    const { shop } = notes;
    const client = shop.client(mode);
    notes.expect(401, 'nobody', await client.get('/me'));
    notes.expect(200, 'nobody, optional', await client.get('/optional'));
    notes.expect(201, 'signs in', await client.login('ada', { payload: { plan: 'pro' }, data: { a: 1 } }));
    notes.expect(200, 'guarded', await client.get('/me?page=2'));
    notes.expect(200, 'asks the database', await client.get('/checked'));
    notes.expect(200, 'changes the payload', await client.get('/rename'));
    shop.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
    notes.expect(401, 'expired', await client.get('/me'));
    notes.expect(200, 'refresh', await client.refresh());
    notes.expect(200, 'first use', await client.get('/me'));
    notes.expect(200, 'second use', await client.get('/me'));
    notes.expect(200, 'signs out', await client.signOut());
    notes.expect(401, 'is out', await client.get('/me'));
    notes.expect(401, 'signs out again', await client.signOut());
    notes.expect(401, 'refresh without a token', await client.refresh());
  };
}

const ROWS: readonly Row[] = [
  { title: 'a life with cookies', scenario: life('cookie') },
  { title: 'a life with headers', scenario: life('header') },
  {
    title: 'a refresh whose response is lost',
    scenario: async (notes) => {
      const client = notes.shop.client();
      await client.login();
      const before = client.copy();
      notes.expect(200, 'lost', await client.copy().refresh());
      notes.expect(200, 'again', await before.refresh());
      notes.expect(200, 'used', await before.get('/me'));
    },
  },
  {
    title: 'a theft: the session ends and the cookies are taken away',
    scenario: async (notes) => {
      const client = notes.shop.client();
      await client.login();
      const thief = client.copy();
      await client.refresh();
      await client.get('/me');
      const caught = notes.expect(401, 'theft', await thief.refresh());
      expect(caught.text).toBe('{"message":"token theft detected"}');
      expect(caught.setCookie('sRefreshToken')?.value).toBe('');
      notes.expect(401, 'the victim is out', await client.get('/checked'));
      notes.expect(401, 'and cannot refresh', await client.refresh());
    },
  },
  {
    title: 'claims: 403 names the claim that failed',
    scenario: async (notes) => {
      const [ada, root] = [notes.shop.client(), notes.shop.client()];
      await ada.login('ada');
      await root.login('root');
      const refused = notes.expect(403, 'no admin', await ada.get('/admin'));
      expect(refused.text).toContain('"claimValidationErrors":[{"id":"admin"');
      notes.expect(200, 'an admin', await root.get('/admin'));
    },
  },
  {
    title: 'anti-CSRF by token',
    options: () => ({ antiCsrf: 'VIA_TOKEN' }),
    scenario: async (notes) => {
      const client = notes.shop.client();
      notes.expect(201, 'signs in', await client.login());
      notes.expect(200, 'with it', await client.post('/me'));
      notes.expect(401, 'without it', await client.post('/me', {}, { 'anti-csrf': undefined }));
      notes.expect(401, 'with another', await client.post('/me', {}, { 'anti-csrf': 'other' }));
      notes.expect(200, 'reading needs none', await client.get('/me', { 'anti-csrf': undefined }));
      notes.expect(200, 'refresh', await client.refresh());
    },
  },
  {
    title: 'anti-CSRF by a header of scripts',
    options: () => ({ antiCsrf: 'VIA_CUSTOM_HEADER' }),
    scenario: async (notes) => {
      const client = notes.shop.client();
      await client.login();
      notes.expect(200, 'with rid', await client.post('/me'));
      notes.expect(401, 'without rid', await client.post('/me', {}, { rid: undefined }));
      notes.expect(401, 'refresh without rid', await client.refresh({ rid: undefined }));
    },
  },
  {
    title: 'public documents',
    scenario: async (notes) => {
      await notes.send(200, 'keys', { path: '/auth/jwt/jwks.json' });
      await notes.send(200, 'keys of a tenant', { path: '/auth/t1/jwt/jwks.json' });
      await notes.send(200, 'keys, a slash behind', { path: '/auth/jwt/jwks.json/?x=1' });
      await notes.send(200, 'keys, HEAD', { method: 'HEAD', path: '/auth/jwt/jwks.json' });
      await notes.send(200, 'discovery', { path: '/auth/.well-known/openid-configuration' });
    },
  },
  {
    title: 'paths and methods that are none',
    scenario: async (notes) => {
      for (const [method, path] of [
        ['GET', REFRESH],
        ['POST', '/auth/jwt/jwks.json'],
        ['GET', '/auth/signout'],
        ['POST', '/AUTH/signout'],
        ['POST', '/auth//signout'],
        ['POST', '/auth/a/b/signout'],
        ['POST', '/signout'],
        ['GET', '/auth'],
        ['GET', '/auth/sessions'],
        ['POST', '/auth/session/device/register'],
        ['DELETE', REFRESH],
      ] as const) {
        await notes.send(404, `${method} ${path}`, { method, path });
      }
    },
  },
  {
    title: 'device routes that are off: a browser keeps its key',
    scenario: async (notes) => {
      const response = await notes.send(503, 'off', { method: 'POST', path: '/auth/session/device/refresh' });
      expect(response.header('retry-after')).toBe('5');
    },
  },
  {
    title: 'device routes that are on',
    options: () => ({ deviceBound: { dbsc: {} } }),
    scenario: async (notes) => {
      const client = notes.shop.client();
      notes.expect(201, 'signs in', await client.login());
      notes.expect(403, 'no proof', await client.post('/auth/session/device/register'));
      notes.expect(
        401,
        'no cookie',
        await client.copy().send({
          method: 'POST',
          path: '/auth/session/device/register',
          headers: { cookie: undefined },
        }),
      );
    },
  },
  {
    title: "users' own sessions",
    options: () => ({ userSessionRoutes: true }),
    scenario: async (notes) => {
      const [here, there] = [notes.shop.client(), notes.shop.client()];
      await here.login();
      const { sessionHandle } = (await there.login()).body as { sessionHandle: string };
      notes.expect(200, 'lists', await here.get('/auth/sessions'));
      notes.expect(400, 'no body', await here.post('/auth/sessions/revoke'));
      notes.expect(400, 'a body without handle', await here.post('/auth/sessions/revoke', { a: 1 }));
      notes.expect(400, 'a list', await here.post('/auth/sessions/revoke', [sessionHandle]));
      notes.expect(404, 'no such session', await here.post('/auth/sessions/revoke', { sessionHandle: 'x' }));
      notes.expect(200, 'ends the other', await here.post('/auth/sessions/revoke', { sessionHandle }));
      notes.expect(200, 'ends the others', await here.post('/auth/sessions/revoke-others'));
      notes.expect(401, 'is out', await there.get('/checked'));
      notes.expect(401, 'nobody', await notes.shop.client().get('/auth/sessions'));
    },
  },
  {
    title: 'replaced responses and routes',
    options: () => ({
      errorHandlers: {
        onUnauthorised: (message, _request, response) => {
          response.setStatusCode(418);
          response.setHeader('X-Reason', message);
          response.sendJSONResponse({ teapot: true });
        },
      },
      override: {
        apis: (original) => ({
          ...original,
          getJWKSGET: undefined,
          signOutPOST: async () => ({ status: 'GENERAL_ERROR', message: 'not now' }),
        }),
      },
      invalidClaimStatusCode: 409,
    }),
    scenario: async (notes) => {
      const client = notes.shop.client();
      notes.expect(418, 'replaced', await client.get('/me'));
      notes.expect(404, 'switched off', await client.get('/auth/jwt/jwks.json'));
      await client.login('ada');
      notes.expect(200, 'refused by the application', await client.signOut());
      notes.expect(409, 'the configured status', await client.get('/admin'));
    },
  },
  {
    title: 'behind a gateway that takes a prefix off',
    options: () => ({
      appInfo: {
        appName: 'Shop',
        apiDomain: 'https://api.shop.io',
        websiteDomain: 'https://shop.io',
        apiGatewayPath: '/v1',
      },
    }),
    scenario: async (notes) => {
      const response = notes.expect(201, 'signs in', await notes.shop.client().login());
      expect(response.setCookie('sRefreshToken')?.path).toBe(`/v1${REFRESH}`);
      await notes.send(401, 'refresh', { method: 'POST', path: REFRESH });
      await notes.send(200, 'keys', { path: '/auth/jwt/jwks.json' });
      await notes.send(404, 'with the prefix', { path: '/v1/auth/jwt/jwks.json' });
    },
  },
  {
    title: 'clients that bind their tokens to a key',
    options: () => deviceBound({ dpop: {} }),
    scenario: async (notes) => {
      const { shop } = notes;
      const client = new DpopClient(shop as unknown as HttpClient, shop.clock, KEY);
      notes.expect(201, 'signs in', await client.login());
      notes.expect(200, 'with a proof', await client.get('/me?x=1'));
      notes.expect(401, 'of another path', await client.get('/me', { dpop: client.proof('GET', '/you') }));
      const thief = shop.client('header');
      thief.adoptTokens(client);
      notes.expect(401, 'without a proof', await thief.get('/me'));
      notes.expect(200, 'refresh', await client.refresh());
      notes.expect(200, 'signs out', await client.signOut());
    },
  },
];

describe.each(WAYS)('without Nest (%s), responses are the same as those of Nest on Express', (way) => {
  it.each(ROWS)('$title', async ({ scenario, options }) => {
    const [ours, nest] = [await play(way, scenario, options), await play('nest', scenario, options)];
    expect(ours).toEqual(nest);
  });
});
