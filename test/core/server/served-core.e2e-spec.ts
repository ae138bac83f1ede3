import { once } from 'node:events';
import { connect } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Logger, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MAX_BODY_BYTES } from '../../../lib/core/server/session-core.gateway.js';
import { embeddedCore } from '../../../lib/core/embedded/embedded-core-options.js';
import { SessionConfigError } from '../../../lib/options/config-error.js';
import { SessionCoreModule } from '../../../lib/core/server/session-core.module.js';
import { decoded } from '../../support/core-calls.js';
import { DYNAMIC_TEST_KID, seededMemoryStore, STATIC_TEST_KID } from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import { ADAPTERS, newAdapter } from '../../support/test-application.js';
import {
  startServedCore,
  withServedCore,
  type RawResponse,
  type RawRequest,
  type ServedCore,
} from '../../support/served-core.js';

const JSON_TYPE = 'application/json;charset=UTF-8';
const TEXT_TYPE = 'text/html;charset=UTF-8';
const KEY = 'a-key-of-more-than-20-characters';
const OTHER_KEY = 'another-key=of-the-same-core';
const PUBLIC_TENANT_ONLY = 'Only public tenantId can call this app specific API';

interface Created {
  session: { handle: string; userId: string; tenantId: string };
  accessToken: { token: string };
  refreshToken: { token: string };
}

function creation(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    userId: 'user-1',
    enableAntiCsrf: false,
    userDataInJWT: {},
    userDataInDatabase: {},
    useDynamicSigningKey: true,
    ...changes,
  };
}

async function created(core: ServedCore, changes = {}, path = '/recipe/session'): Promise<Created> {
  return (await core.post(path, creation(changes))).json as Created;
}

function without(body: Record<string, unknown>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([key]) => key !== name));
}

/** A response in words; its content type, too, where it is not the one that a Core gives to text. */
function inWords({ status, text, headers }: RawResponse): string {
  const type = headers['content-type'];
  return `${status} ${type === TEXT_TYPE ? '' : `(${String(type)}) `}${text}`;
}

describe.each(ADAPTERS)('the served core on %s', (adapter) => {
  let core: ServedCore;
  const get = (path: string, headers: Record<string, string> = {}): Promise<RawResponse> =>
    core.send({ path, headers: { 'cdi-version': '5.4', ...headers } });
  const put = (path: string, body: unknown): Promise<RawResponse> =>
    core.send({ method: 'PUT', path, headers: { 'cdi-version': '5.4' }, body: JSON.stringify(body) });

  beforeAll(async () => {
    core = await startServedCore({ adapter });
  });
  afterAll(async () => {
    await core.close();
  });

  describe('over the wire', () => {
    it('responds in JSON to success and in text to errors, each with a newline at the end', async () => {
      const response = await get('/user/id?userId=u');
      expect(response.status).toBe(200);
      expect(response.headers['content-type']).toBe(JSON_TYPE);
      expect(response.text).toBe('{"status":"UNKNOWN_USER_ID_ERROR"}\n');
      expect(response.headers['content-length']).toBe('35');
      expect(inWords(await get('/user/id'))).toBe("400 Field name 'userId' is missing in GET request\n");
    });

    it.each(['GET', 'POST', 'PUT', 'DELETE'])('says Hello to %s', async (method) => {
      expect(inWords(await core.send({ method, path: '/hello' }))).toBe('200 Hello\n');
      expect(inWords(await core.send({ method, path: '/' }))).toBe('200 Hello\n');
    });

    it.each([
      ['GET', '/recipe/session/refresh'],
      ['DELETE', '/recipe/session'],
      ['PATCH', '/recipe/session'],
      ['POST', '/apiversion'],
      ['POST', '/.well-known/jwks.json'],
    ])('refuses %s %s with 405', async (method, path) => {
      expect(inWords(await core.send({ method, path }))).toBe('405 Method not supported\n');
    });

    it('responds with 405 to HEAD without a body', async () => {
      expect(await core.send({ method: 'HEAD', path: '/recipe/session' })).toMatchObject({
        status: 405,
        text: '',
      });
    });

    it.each([
      '/recipe/none',
      '/recipe',
      '//recipe/session',
      '/a/b/recipe/session',
      '/t%31/recipe/session',
      '/Recipe/recipe/session',
      '/hello/hello',
      '/t1',
      '/favicon.ico',
    ])('does not know %s', async (path) => {
      expect(inWords(await get(path))).toBe('404 Not found\n');
    });

    it('ignores capitals and one trailing slash in the path, but not in the query', async () => {
      const { session } = await created(core, {}, '/PUBLIC/Recipe/SESSION/');
      const response = await get(`/RECIPE/session?sessionHandle=${session.handle}`);
      expect(response.json).toMatchObject({ status: 'OK', sessionHandle: session.handle });
      expect((await get(`/recipe/session?sessionHandle=${session.handle.toUpperCase()}`)).json).toEqual({
        status: 'UNAUTHORISED',
        message: 'Session does not exist.',
      });
    });

    it('takes the public app with or without its segment, and refuses every other one', async () => {
      expect((await core.post('/appid-public/t1/recipe/session', creation())).status).toBe(200);
      expect(inWords(await core.post('/appid-zz/recipe/session', creation()))).toBe(
        '400 AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId combination not found: (, zz, public)\n',
      );
    });

    it('reads a body as UTF-8 where its content type names no charset', async () => {
      const { session } = await created(core, {}, '/recipe/session');
      const data = { text: 'é😀 </script>' };
      const response = await core.send({
        method: 'PUT',
        path: '/recipe/session/data',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sessionHandle: session.handle, userDataInDatabase: data }),
      });
      expect(response.json).toEqual({ status: 'OK' });
      expect((await get(`/recipe/session/data?sessionHandle=${session.handle}`)).json).toEqual({
        status: 'OK',
        userDataInDatabase: { text: 'é😀 </script>' },
      });
    });

    it.each([
      ['nothing', ''],
      ['broken JSON', '{"userId":'],
      ['an array', '[]'],
      ['null', 'null'],
      ['a text', '"x"'],
      ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
      ['unquoted keys, which a Core tolerates', '{userId:"u"}'],
    ])('refuses %s as a body', async (_, body) => {
      const response = await core.send({ method: 'POST', path: '/recipe/session', body });
      expect(inWords(response)).toBe('400 Invalid Json Input\n');
    });

    it('responds with 413 to a body beyond 1 MiB and goes on serving', async () => {
      const fits = JSON.stringify(creation({ userDataInDatabase: { x: 'x'.repeat(MAX_BODY_BYTES - 1000) } }));
      expect((await core.send({ method: 'POST', path: '/recipe/session', body: fits })).status).toBe(200);
      const tooLong = Buffer.alloc(MAX_BODY_BYTES + 1, ' ');
      const response = await core.send({ method: 'POST', path: '/recipe/session', body: tooLong });
      expect(inWords(response)).toBe(`413 The body is longer than ${MAX_BODY_BYTES} bytes\n`);
      expect((await get('/user/id?userId=u')).status).toBe(200);
    });

    it('survives a body that is nested without end', async () => {
      const body = JSON.stringify(creation({ userDataInDatabase: { deep: 0 } }));
      const deep = body.replace('0', '['.repeat(400_000) + ']'.repeat(400_000));
      const response = await core.send({ method: 'POST', path: '/recipe/session', body: deep });
      expect(inWords(response)).toBe('400 Invalid Json Input\n');
      expect((await get('/user/id?userId=u')).status).toBe(200);
    });
  });

  describe('a web page that a developer opens', () => {
    const body = JSON.stringify(creation({ userId: 'victim' }));
    const attack = (
      headers: Record<string, string>,
      changes: Partial<RawRequest> = {},
    ): Promise<RawResponse> =>
      core.send({ method: 'POST', path: '/recipe/session', headers, body, isTyped: false, ...changes });
    const handlesOfVictim = async (): Promise<unknown> =>
      (await get('/recipe/session/user?userId=victim')).json;

    it.each([
      [403, { origin: 'https://evil.example', 'content-type': 'application/json' }],
      [403, { origin: 'null', 'content-type': 'application/json' }],
      [403, { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' }],
      [403, { host: 'rebound.evil.example', 'content-type': 'application/json' }],
      [415, { 'content-type': 'text/plain;charset=UTF-8' }],
      [415, { 'content-type': 'application/x-www-form-urlencoded' }],
      [415, {}],
    ])('gets %d and has created and ended nothing: %j (S098)', async (status, headers) => {
      const { session } = await created(core, { userId: 'victim' });
      expect((await attack(headers)).status).toBe(status);
      expect(
        (await attack(headers, { path: '/recipe/session/remove', body: '{"userId":"victim"}' })).status,
      ).toBe(status);
      expect(await handlesOfVictim()).toMatchObject({ sessionHandles: [session.handle] });
      await core.post('/recipe/session/remove', { userId: 'victim' });
    });

    it('learns nothing by reading, and no preflight succeeds', async () => {
      const paths = ['/recipe/session/user?userId=victim', '/.well-known/jwks.json', '/hello', '/none'];
      for (const path of paths) {
        for (const headers of [{ host: 'evil.example' }, { origin: 'https://evil.example' }]) {
          const response = await core.send({ path, headers });
          expect(response.status).toBe(403);
          expect(Object.keys(response.headers).filter((name) => name.startsWith('access-control'))).toEqual(
            [],
          );
        }
      }
      const preflight = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
      expect(
        await core.send({ method: 'OPTIONS', path: '/recipe/session', headers: preflight }),
      ).toMatchObject({ status: 403 });
    });

    it('is recognised by the authority of an absolute target and by a second Host, too', async () => {
      expect((await get('http://localhost:1/recipe/session/user?userId=u')).status).toBe(200);
      expect((await get('http://evil.example/recipe/session/user?userId=u')).status).toBe(403);
      expect((await get('http://localhost@evil.example/recipe/session/user?userId=u')).status).toBe(403);
      const socket = connect(core.port, '127.0.0.1');
      socket.write(
        'GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
      );
      const [response] = (await once(socket, 'data')) as [Buffer];
      expect(response.toString()).toMatch(/^HTTP\/1\.1 40[03] /);
      socket.destroy();
    });

    it('does not reach a core with keys or behind a proxy either, whose own names are served', async () => {
      const options = { apiKeys: [KEY], hostNames: ['core.internal'] };
      await withServedCore({ adapter, options }, async (keyed) => {
        const named = (host: string, more = {}): Promise<RawResponse> =>
          keyed.send({ path: '/recipe/session/user?userId=u', headers: { host, 'api-key': KEY, ...more } });
        expect((await named('core.internal:443')).status).toBe(200);
        expect((await named('localhost')).status).toBe(200);
        expect((await named('evil.example')).status).toBe(403);
        expect((await named('core.internal', { origin: 'https://core.internal' })).status).toBe(403);
      });
    });
  });

  describe('versions', () => {
    it.each(['5.0', '5.1', '5.2', '5.3', '5.4', '5.5', '5.6', undefined])('serves %s', async (version) => {
      const headers: Record<string, string> = version === undefined ? {} : { 'cdi-version': version };
      expect((await core.send({ path: '/user/id?userId=u', headers })).status).toBe(200);
    });

    it.each(['abc', '2.x', '1..0', '2,7', '', ' . '])(
      'refuses %j, even for /hello (C147)',
      async (version) => {
        for (const path of ['/hello', '/apiversion', '/user/id?userId=u']) {
          expect(inWords(await get(path, { 'cdi-version': version }))).toBe(
            '400 cdi-version header is invalid\n',
          );
        }
      },
    );

    it('refuses a version beyond the newest (C148)', async () => {
      for (const version of ['234243', '5.7', '5.10', '5.4.1']) {
        const response = await get('/user/id?userId=u', { 'cdi-version': version });
        expect(inWords(response)).toBe(`400 cdi-version ${version} not supported\n`);
      }
    });

    it('refuses a version that equals a known one but is spelled otherwise', async () => {
      const response = await get('/user/id?userId=u', { 'cdi-version': '5.4.0' });
      expect(inWords(response)).toBe('400 cdi-version 5.4.0 not supported\n');
      expect((await get('/apiversion', { 'cdi-version': '5.4.0' })).status).toBe(200);
    });

    it('keeps to the versions of its options: the newest is the maximum, the oldest the minimum (C149 C150)', async () => {
      await withServedCore({ adapter, options: { versions: ['5.3', '5.1', '5.2'] } }, async (some) => {
        const ask = async (version: string): Promise<RawResponse> =>
          some.send({ path: '/user/id?userId=u', headers: { 'cdi-version': version } });
        expect((await some.send({ path: '/apiversion' })).json).toEqual({ versions: ['5.1', '5.2', '5.3'] });
        expect(inWords(await ask('5.4'))).toBe('400 cdi-version 5.4 not supported\n');
        for (const version of ['3.0', '4.0', '5.0']) {
          expect(inWords(await ask(version))).toBe(
            `400 cdi-version ${version} is lower than the minimum allowed version 5.1\n`,
          );
        }
        expect((await ask('5.1')).status).toBe(200);
      });
    });
  });

  describe('API keys', () => {
    let locked: ServedCore;
    const ask = (request: RawRequest): Promise<RawResponse> => locked.send(request);

    beforeAll(async () => {
      locked = await startServedCore({ adapter, options: { apiKeys: [KEY, OTHER_KEY] } });
    });
    afterAll(async () => {
      await locked.close();
    });

    it.each([
      { 'api-key': KEY },
      { 'api-key': OTHER_KEY },
      { 'api-key': `  ${KEY} ` },
      { authorization: KEY },
      { authorization: `Bearer ${OTHER_KEY}` },
      { authorization: `bEaReR ${KEY}` },
      { 'api-key': KEY, authorization: 'Bearer wrong' },
    ])('opens with any key, in either header: %j (C145)', async (headers) => {
      expect((await ask({ path: '/apiversion', headers })).status).toBe(200);
    });

    it.each([
      {},
      { 'api-key': '' },
      { 'api-key': 'wrong' },
      { 'api-key': KEY.slice(1) },
      { 'api-key': `${KEY}x` },
      { 'api-key': KEY.toUpperCase() },
      { 'api-key': `${KEY}, ${KEY}` },
      { authorization: `Basic ${KEY}` },
      { 'api-key': 'wrong', authorization: `Bearer ${KEY}` },
    ])('stays shut for %j (C144 S098)', async (headers) => {
      for (const path of [
        '/apiversion',
        '/user/id?userId=u',
        '/recipe/session?sessionHandle=x',
        '/recipe/jwt/jwks',
      ]) {
        expect(inWords(await ask({ path, headers }))).toBe('401 Invalid API key\n');
      }
    });

    it('takes a key from its header only, never from the address (S098)', async () => {
      expect(inWords(await ask({ path: `/apiversion?api-key=${KEY}&apiKey=${KEY}` }))).toBe(
        '401 Invalid API key\n',
      );
    });

    it('asks for no key at /hello, the published keys and unknown paths (C146)', async () => {
      expect(inWords(await ask({ path: '/hello' }))).toBe('200 Hello\n');
      expect((await ask({ path: '/.well-known/jwks.json' })).status).toBe(200);
      expect(inWords(await ask({ path: '/recipe/none' }))).toBe('404 Not found\n');
    });

    it('looks at the key before the version, the method and the body', async () => {
      const response = await ask({
        method: 'PATCH',
        path: '/recipe/session',
        headers: { 'cdi-version': 'abc' },
        body: 'x',
      });
      expect(inWords(response)).toBe('401 Invalid API key\n');
    });

    it.each([
      '/config',
      '/users',
      '/users/count',
      '/user/remove',
      '/recipe/user',
      '/recipe/multitenancy/tenant/list',
      '/recipe/dashboard/user',
      '/recipe/userid/map',
      '/requests/stats',
      '/telemetry',
      '/ee/license',
      '/recipe/session/all',
      '/recipe/handshake',
      '/appid-public/t1/users',
    ])(
      'has no route that administers or lists: %s is unknown, with a key or without (S109)',
      async (path) => {
        for (const headers of [{}, { 'api-key': KEY }]) {
          expect(inWords(await ask({ path, headers }))).toBe('404 Not found\n');
          expect(inWords(await ask({ method: 'POST', path, headers, body: '{}' }))).toBe('404 Not found\n');
        }
      },
    );

    it('lists handles, which open nothing, and never a token (S109)', async () => {
      const headers = { 'api-key': KEY };
      const { accessToken, refreshToken, session } = (
        await locked.post('/recipe/session', creation(), headers)
      ).json as Created;
      const responses = await Promise.all(
        [
          '/recipe/session/user?userId=user-1',
          `/recipe/session?sessionHandle=${session.handle}`,
          `/recipe/session/data?sessionHandle=${session.handle}`,
          `/recipe/jwt/data?sessionHandle=${session.handle}`,
        ].map((path) => ask({ path, headers })),
      );
      const text = responses.map((response) => response.text).join('');
      expect(text).toContain(session.handle);
      expect(text).not.toContain(accessToken.token);
      expect(text).not.toContain(refreshToken.token.slice(0, 40));
    });
  });

  describe('base path', () => {
    it.each([
      [
        '/hello',
        ['/hello', '/hello/hello', '/hello/appid-public/t/hello', '/HELLO/'],
        ['/', '/helloo', '/x'],
      ],
      [
        'core//v1/',
        ['/core/v1', '/core/v1/hello', '/Core/V1/t/hello/'],
        ['/hello', '/core', '/core/v11/hello'],
      ],
    ])('serves below %s (C151)', async (basePath, inside, outside) => {
      await withServedCore({ adapter, options: { basePath } }, async (moved) => {
        for (const path of inside) expect(inWords(await moved.send({ path }))).toBe('200 Hello\n');
        for (const path of outside) {
          const response = await moved.send({ path });
          expect(response.status).toBe(404);
          expect(response.headers['content-type']).toMatch(/^application\/json/); // the application's own response
        }
        expect(inWords(await moved.send({ path: `${inside[0]}/none` }))).toBe('404 Not found\n');
      });
    });
  });

  describe('input', () => {
    const bodies = {
      '/recipe/session': creation(),
      '/recipe/session/verify': verification('x'),
      '/recipe/session/refresh': refreshing('x'),
      '/recipe/session/regenerate': { accessToken: 'x' },
      '/recipe/jwt': jwt(),
    };
    const optional = ['useDynamicSigningKey of /recipe/session'];
    const fields = Object.entries(bodies).flatMap(([path, body]) =>
      Object.keys(body)
        .filter((field) => !optional.includes(`${field} of ${path}`))
        .map((field) => ({ path, field, body: { ...body } as Record<string, unknown> })),
    );

    it.each(fields)(
      '$path needs $field: not absent, not null, not of another type (C8 C9 C38 C84)',
      async ({ path, field, body }) => {
        const wrong = typeof body[field] === 'string' ? 5 : 'true';
        for (const changed of [
          without(body, field),
          { ...body, [field]: null },
          { ...body, [field]: wrong },
        ]) {
          expect(inWords(await core.post(path, changed))).toBe(
            `400 Field name '${field}' is invalid in JSON input\n`,
          );
        }
        expect((await core.post(path, { ...body, unknown: true })).status).toBe(200);
      },
    );

    it.each([
      ['/recipe/session', () => creation({ useDynamicSigningKey: null }), 'useDynamicSigningKey'],
      ['/recipe/session', () => creation({ useDynamicSigningKey: 'true' }), 'useDynamicSigningKey'],
      ['/recipe/session', () => creation({ enableAntiCsrf: 1 }), 'enableAntiCsrf'],
      ['/recipe/session', () => creation({ userId: ['u'] }), 'userId'],
      ['/recipe/session', () => creation({ userDataInJWT: [] }), 'userDataInJWT'],
      ['/recipe/session/verify', () => ({ ...verification('x'), antiCsrfToken: null }), 'antiCsrfToken'],
      ['/recipe/session/refresh', () => ({ ...refreshing('x'), antiCsrfToken: 5 }), 'antiCsrfToken'],
      ['/recipe/session/regenerate', () => ({ accessToken: 'x', userDataInJWT: null }), 'userDataInJWT'],
      ['/recipe/session/remove', () => ({ sessionHandles: 'x' }), 'sessionHandles'],
      ['/recipe/session/remove', () => ({ sessionHandles: ['x', 5] }), 'sessionHandles'],
      [
        '/recipe/session/remove',
        () => ({ userId: 'u', revokeAcrossAllTenants: 'no' }),
        'revokeAcrossAllTenants',
      ],
      ['/recipe/jwt', () => ({ ...jwt(), useStaticSigningKey: 'no' }), 'useStaticSigningKey'],
      ['/recipe/jwt', () => ({ ...jwt(), validity: '60' }), 'validity'],
    ])('%s refuses what a field cannot be (case %#)', async (path, body, field) => {
      expect(inWords(await core.post(path, body()))).toBe(
        `400 Field name '${field}' is invalid in JSON input\n`,
      );
    });

    it.each([
      'sub',
      'iat',
      'exp',
      'sessionHandle',
      'refreshTokenHash1',
      'parentRefreshTokenHash1',
      'antiCsrfToken',
      'tId',
      'rsub',
    ])(
      'refuses the claim %s in a payload, wherever it is written, and changes nothing (C6 C108 C114)',
      async (claim) => {
        const { accessToken, session } = await created(core, { userDataInJWT: { kept: 1 } });
        const userDataInJWT = { [claim]: 'x' };
        const responses = [
          await core.post('/recipe/session', creation({ userDataInJWT })),
          await core.post('/recipe/session/regenerate', { accessToken: accessToken.token, userDataInJWT }),
          await put('/recipe/jwt/data', { sessionHandle: session.handle, userDataInJWT }),
        ];
        for (const response of responses) {
          expect(inWords(response)).toBe('400 The user payload contains protected field\n');
        }
        expect((await get(`/recipe/jwt/data?sessionHandle=${session.handle}`)).json).toEqual({
          status: 'OK',
          userDataInJWT: { kept: 1 },
        });
      },
    );

    it.each(['/recipe/session/data', '/recipe/jwt/data'])(
      'PUT and GET %s know no unknown session',
      async (path) => {
        const field = path.includes('jwt') ? 'userDataInJWT' : 'userDataInDatabase';
        const unknown = { status: 'UNAUTHORISED', message: 'Session does not exist.' };
        expect((await put(path, { sessionHandle: 'nope', [field]: {} })).json).toEqual(unknown);
        expect((await get(`${path}?sessionHandle=nope`)).json).toEqual(unknown);
        expect(inWords(await put(path, { sessionHandle: 'nope' }))).toBe(
          `400 Field name '${field}' is invalid in JSON input\n`,
        );
        expect(inWords(await get(path))).toBe("400 Field name 'sessionHandle' is missing in GET request\n");
        expect((await get(`${path}?sessionHandle=`)).json).toEqual(unknown);
      },
    );
  });

  it('ignores the lifetime that newer versions of the interface let a refresh ask for (C21)', async () => {
    const { refreshToken } = await created(core);
    const asked = { ...refreshing(refreshToken.token), accessTokenValidity: 60_000 };
    const { accessToken } = (await core.post('/recipe/session/refresh', asked)).json as Created;
    const { exp, iat } = decoded(accessToken.token).payload as { exp: number; iat: number };
    expect(exp - iat).toBeGreaterThan(60);
  });

  describe('sessions of several tenants', () => {
    it('creates a session in the tenant of the path (C12)', async () => {
      const { session, accessToken } = await created(core, {}, '/t1/recipe/session');
      expect(session.tenantId).toBe('t1');
      expect(session.handle).toMatch(/_t1$/);
      expect(decoded(accessToken.token).payload['tId']).toBe('t1');
    });

    it('acts on the session’s own tenant whichever one the path names (C25 C59)', async () => {
      const { session, accessToken, refreshToken } = await created(core, {}, '/t1/recipe/session');
      expect((await get(`/t2/recipe/session?sessionHandle=${session.handle}`)).json).toMatchObject({
        status: 'OK',
        tenantId: 't1',
      });
      expect(
        (await core.post('/t2/recipe/session/verify', verification(accessToken.token))).json,
      ).toMatchObject({ status: 'OK', session: { tenantId: 't1' } });
      expect(
        (await core.post('/t2/recipe/session/refresh', refreshing(refreshToken.token))).json,
      ).toMatchObject({ status: 'OK', session: { tenantId: 't1' } });
    });

    it('lists and removes in one tenant, or across all of them (C121 C122)', async () => {
      const handles: string[] = [];
      for (const path of ['/recipe/session', '/t1/recipe/session', '/t2/recipe/session']) {
        handles.push((await created(core, { userId: 'traveller' }, path)).session.handle);
      }
      const listed = async (path: string): Promise<unknown> =>
        ((await get(path)).json as { sessionHandles: string[] }).sessionHandles.sort();
      const query = 'recipe/session/user?userId=traveller';
      expect(await listed(`/${query}`)).toEqual([...handles].sort());
      expect(await listed(`/public/${query}&fetchAcrossAllTenants=TRUE`)).toEqual([...handles].sort());
      expect(await listed(`/${query}&fetchAcrossAllTenants=false`)).toEqual([handles[0]]);
      expect(await listed(`/t1/${query}&fetchAcrossAllTenants=no`)).toEqual([handles[1]]);
      const removed = await core.post('/t2/recipe/session/remove', {
        userId: 'traveller',
        revokeAcrossAllTenants: false,
      });
      expect(removed.json).toEqual({ status: 'OK', sessionHandlesRevoked: [handles[2]] });
      const rest = await core.post('/recipe/session/remove', { userId: 'traveller' });
      expect((rest.json as { sessionHandlesRevoked: string[] }).sessionHandlesRevoked.sort()).toEqual(
        handles.slice(0, 2).sort(),
      );
    });

    it('refuses all tenants at once to a tenant that is not the public one (C123)', async () => {
      expect(inWords(await get('/t1/recipe/session/user?userId=u'))).toBe(`403 ${PUBLIC_TENANT_ONLY}\n`);
      expect(inWords(await core.post('/t1/recipe/session/remove', { userId: 'u' }))).toBe(
        `403 ${PUBLIC_TENANT_ONLY}\n`,
      );
    });

    it.each(['/user/id?userId=u', '/apiversion', '/recipe/jwt/jwks'])(
      'refuses what belongs to the app to a tenant: %s',
      async (path) => {
        expect(inWords(await get(`/t1${path}`))).toBe(`403 ${PUBLIC_TENANT_ONLY}\n`);
        expect((await get(`/public${path}`)).status).toBe(200);
      },
    );

    it('refuses to sign a JWT for a tenant', async () => {
      expect(inWords(await core.post('/t1/recipe/jwt', jwt()))).toBe(`403 ${PUBLIC_TENANT_ONLY}\n`);
    });
  });

  describe('removing and listing', () => {
    it('reports only what existed, and nothing at the second time (C116 C117)', async () => {
      const [first, second] = [await created(core), await created(core)].map(({ session }) => session.handle);
      await core.post('/recipe/session/remove', { sessionHandles: [second] });
      const remove = (): Promise<RawResponse> =>
        core.post('/recipe/session/remove', { sessionHandles: [first, second, 'nope'] });
      expect((await remove()).json).toEqual({ status: 'OK', sessionHandlesRevoked: [first] });
      expect((await remove()).json).toEqual({ status: 'OK', sessionHandlesRevoked: [] });
    });

    it.each([{}, { userId: 'u', sessionHandles: [] }])(
      'refuses neither and both: %j (C119)',
      async (body) => {
        expect(inWords(await core.post('/recipe/session/remove', body))).toBe(
          '400 Invalid JSON input - use one of userId or sessionHandles array\n',
        );
      },
    );

    it.each(['revokeAcrossAllTenants', 'revokeSessionsForLinkedAccounts'])(
      'refuses %s together with handles (C120)',
      async (flag) => {
        const response = await core.post('/recipe/session/remove', { sessionHandles: [], [flag]: true });
        expect(response.status).toBe(400);
        expect(response.text).toMatch(/^Invalid JSON input/);
      },
    );

    it('knows users by their sessions only (C118 C125 C126)', async () => {
      const mine = await created(core, { userId: 'owner' });
      await created(core, { userId: 'neighbour' });
      const removed = await core.post('/recipe/session/remove', { userId: 'owner' });
      expect(removed.json).toEqual({ status: 'OK', sessionHandlesRevoked: [mine.session.handle] });
      for (const userId of ['owner', 'nobody', '']) {
        expect((await get(`/recipe/session/user?userId=${userId}`)).json).toEqual({
          status: 'OK',
          sessionHandles: [],
        });
      }
      expect(inWords(await get('/recipe/session/user'))).toBe(
        "400 Field name 'userId' is missing in GET request\n",
      );
    });
  });

  describe('keys and JWTs', () => {
    it('publishes both keys, to be kept until the next one appears, and nothing private', async () => {
      const response = await get('/.well-known/jwks.json');
      const { keys } = response.json as { keys: Record<string, string>[] };
      expect(keys.map(({ kid }) => kid)).toEqual([DYNAMIC_TEST_KID, STATIC_TEST_KID]);
      for (const key of keys) expect(Object.keys(key).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
      expect(response.headers['cache-control']).toBe('max-age=594740, must-revalidate');
      expect((await get('/recipe/jwt/jwks')).json).toEqual({ status: 'OK', keys });
    });

    it('lowers the max-age as time passes, with an interval of one hour (C143)', async () => {
      await withServedCore(
        {
          adapter,
          coreOptions: { accessTokenDynamicSigningKeyUpdateIntervalSec: 3600, accessTokenValiditySec: 60 },
        },
        async (hourly) => {
          const maxAge = async (): Promise<unknown> =>
            (await hourly.send({ path: '/.well-known/jwks.json' })).headers['cache-control'];
          expect(await maxAge()).toBe('max-age=3540, must-revalidate');
          hourly.clock.advanceSeconds(2);
          expect(await maxAge()).toBe('max-age=3538, must-revalidate');
        },
      );
    });

    it.each(['HS256', 'rs512', 'none'])('does not sign with %s (C139)', async (algorithm) => {
      const response = await core.post('/recipe/jwt', { ...jwt(), algorithm });
      expect(response.status).toBe(200);
      expect(response.json).toEqual({ status: 'UNSUPPORTED_ALGORITHM_ERROR' });
    });

    it.each([0, -1, 0.5])('refuses a validity of %d (C140)', async (validity) => {
      expect(inWords(await core.post('/recipe/jwt', { ...jwt(), validity }))).toBe(
        '400 validity must be greater than or equal to 0\n',
      );
    });

    it('signs with the static key unless told otherwise, and lets the payload name the issuer (C141 C142)', async () => {
      const sign = async (changes: Record<string, unknown>): Promise<ReturnType<typeof decoded>> => {
        const { jwt: token } = (await core.post('/recipe/jwt', { ...jwt(), ...changes })).json as {
          jwt: string;
        };
        return decoded(token);
      };
      expect((await sign({})).header).toEqual({ alg: 'RS256', typ: 'JWT', kid: STATIC_TEST_KID });
      expect((await sign({ useStaticSigningKey: false })).header['kid']).toBe(DYNAMIC_TEST_KID);
      expect((await sign({ algorithm: 'rs256' })).payload).toMatchObject({ iss: 'http://domain', a: null });
      expect((await sign({ payload: { iss: 'me' } })).payload['iss']).toBe('me');
    });
  });
});

function verification(accessToken: string): Record<string, unknown> {
  return { accessToken, doAntiCsrfCheck: false, enableAntiCsrf: false, checkDatabase: true };
}

function refreshing(refreshToken: string): Record<string, unknown> {
  return { refreshToken, enableAntiCsrf: false, useDynamicSigningKey: true };
}

function jwt(): Record<string, unknown> {
  return { payload: { a: null }, algorithm: 'RS256', jwksDomain: 'http://domain', validity: 60 };
}

describe.each(ADAPTERS)('the view of the operator of a served core on %s', (adapter) => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is why a call failed, without its key and its tokens; the caller learns nothing but the 503 (S098)', async () => {
    const failures = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const store = interceptedStore(await seededMemoryStore(), async (name, call) => {
      if (name === 'findSession') throw new Error('connect ECONNREFUSED db.internal');
      return call();
    });
    await withServedCore({ adapter, coreOptions: { store }, options: { apiKeys: [KEY] } }, async (core) => {
      const headers = { 'api-key': KEY };
      for (const path of ['/hello', '/recipe/session?sessionHandle=x']) {
        const unavailable = await core.send({ path, headers });
        expect(inWords(unavailable)).toBe('503 Service Unavailable\n');
        expect(unavailable.headers['retry-after']).toBe('1');
      }
      const { refreshToken } = (await core.post('/recipe/session', creation(), headers)).json as Created;
      const refused = await core.post('/recipe/session/refresh', refreshing(refreshToken.token), headers);
      expect(inWords(refused)).toBe('503 Service Unavailable\n');
      expect(failures).toHaveBeenCalledTimes(3);
      const seen = inspect(failures.mock.calls, { depth: 10 });
      expect(seen).toContain('CoreUnavailableError');
      expect(seen).not.toContain(KEY);
      expect(seen).not.toContain(refreshToken.token.slice(0, 40));
    });
  });

  it('is nothing when a client leaves in the middle of its body', async () => {
    const failures = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    await withServedCore({ adapter }, async (core) => {
      const socket = connect(core.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write(
        'POST /recipe/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"userId"',
      );
      socket.destroy();
      await once(socket, 'close');
      expect((await core.send({ path: '/user/id?userId=u' })).status).toBe(200);
    });
    expect(failures).not.toHaveBeenCalled();
  });

  it.each([
    ['0.0.0.0', undefined, 1],
    ['0.0.0.0', [KEY], 0],
    ['127.0.0.1', undefined, 1],
  ])('warns once where it has no keys: on %s with the keys %j (S098)', async (host, apiKeys, warned) => {
    const warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const core = embeddedCore({ store: await seededMemoryStore() });
    const module = await Test.createTestingModule({
      imports: [SessionCoreModule.forRoot({ core, ...(apiKeys && { apiKeys }) })],
    }).compile();
    const app = module.createNestApplication(newAdapter(adapter), { logger: false });
    await app.listen(0, host);
    expect(warnings).toHaveBeenCalledTimes(warned);
    await app.close();
  });
});

describe('the options of SessionCoreModule', () => {
  const start = async (options: Record<string, unknown>): Promise<unknown> => {
    const module = Test.createTestingModule({
      imports: [SessionCoreModule.forRoot(options)],
    }).setLogger(false as never);
    return module.compile().catch((error: unknown) => error);
  };

  it.each([
    [{ apiKeys: 'a-single-key-that-is-long-enough' }, 'apiKeys'],
    [{ apiKeys: [] }, 'apiKeys'],
    [{ apiKeys: ['too-short'] }, 'apiKeys'],
    [{ apiKeys: ['has blanks inside, 20 long'] }, 'apiKeys'],
    [{ versions: [] }, 'versions'],
    [{ versions: ['5.4', '5.7'] }, 'versions'],
    [{ recentTokenReuseBehaviour: 'SOFT' }, 'recentTokenReuseBehaviour'],
    [{ basePath: '/a b' }, 'basePath'],
    [{ hostNames: [] }, 'hostNames'],
    [{ hostNames: 'core' }, 'hostNames'],
    [{ hostNames: ['https://core'] }, 'hostNames'],
    [{ hostNames: ['core:3567'] }, 'hostNames'],
    [{ hostNames: ['core/base'] }, 'hostNames'],
    [{ hostNames: ['*.internal'] }, 'hostNames'],
    [{ hostNames: [5] }, 'hostNames'],
    [{ basePath: 5 }, 'basePath'],
    [{ apikeys: [] }, 'apikeys'],
    [{ core: {} }, 'core'],
    [{ telemetry: 'yes' }, 'telemetry'],
    [{ core: embeddedCore({ accessTokenValiditySec: 0 }) }, 'core.accessTokenValiditySec'],
  ])('are checked at start: %j', async (options, path) => {
    const error = await start(options);
    expect(error).toBeInstanceOf(SessionConfigError);
    expect((error as SessionConfigError).problems.map((problem) => problem.path)).toEqual([path]);
  });

  it('are missed by the name of the module', async () => {
    expect(String(await start({ apiKeys: ['too-short'] }))).toContain('SessionCoreModule cannot start');
    const module = Test.createTestingModule({
      imports: [SessionCoreModule.forRootAsync({ useFactory: () => undefined as never })],
    }).setLogger(false as never);
    await expect(module.compile()).rejects.toThrow('options: are undefined; an object is expected');
  });

  it('never show a key in their message (S098)', async () => {
    const error = await start({ apiKeys: 'hush-hush-hush-hush-hush!' });
    expect(String(error)).not.toContain('hush');
  });

  it('can come from a factory', async () => {
    @Controller('other')
    class OtherController {
      @Get()
      answer(): object {
        return { mine: true };
      }
    }
    @Module({
      imports: [
        SessionCoreModule.forRootAsync({ useFactory: async () => ({ apiKeys: [KEY], basePath: '/core' }) }),
      ],
      controllers: [OtherController],
    })
    class AppModule {}

    const module = await Test.createTestingModule({ imports: [AppModule] })
      .setLogger(false as never)
      .compile();
    const app = module.createNestApplication(newAdapter('express'), { logger: false });
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    expect((await fetch(`${url}/core/apiversion`)).status).toBe(401);
    expect((await fetch(`${url}/core/apiversion`, { headers: { 'api-key': KEY } })).status).toBe(200);
    expect(await (await fetch(`${url}/other`)).json()).toEqual({ mine: true });
    await app.close();
  });
});
