import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { CoreClient } from '../../../lib/core/core-client.js';
import type { HttpCoreClient } from '../../../lib/core/remote/http-core-client.js';
import type { CoreNetworkRequest } from '../../../lib/core/remote/http-transport.js';
import { CoreBadInputError, CoreResponseError, CoreUnavailableError } from '../../../lib/errors.js';
import type { UserContext } from '../../../lib/util/user-context.js';
import { CORE_OPERATIONS, operation } from '../../support/core-operations.js';
import { create, CREATION } from '../../support/core-calls.js';
import {
  bodyOf,
  clientOf,
  content,
  FakeCore,
  GOOD_RESPONSES,
  sendJson,
  sendText,
  until,
  type Behaviour,
  type ReceivedRequest,
} from '../../support/fake-core.js';

const HANDLE = '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11';
const UNKNOWN_TENANT = sendText(400, 'AppId or tenantId not found => Tenant with (, public, gone)\n');

let core: FakeCore;
let client: HttpCoreClient | undefined;

beforeAll(async () => {
  core = await FakeCore.start();
});
afterEach(async () => {
  await client?.close();
  core.reset();
});
afterAll(async () => core.kill());

function connect(options: Parameters<typeof clientOf>[1] = {}): HttpCoreClient {
  client = clientOf(core, options);
  return client;
}

function lastRequest(): ReceivedRequest {
  const last = core.received.at(-1);
  if (last === undefined) throw new Error('nothing came in');
  return last;
}

describe('what a call looks like on the wire', () => {
  it('asks for the version once, however many calls start at once (T265, Q22)', async () => {
    const remote = connect({ apiKey: 'key-1' });
    await Promise.all(CORE_OPERATIONS.map(async ({ run }) => run(remote)));
    await operation('createSession')(remote);
    const asked = core.received.filter(({ path }) => path === '/apiversion');
    expect(asked).toHaveLength(1);
    expect(asked[0]?.query).toEqual({ apiDomain: 'http://localhost:3000' });
    expect(asked[0]?.headers).toMatchObject({ 'api-key': 'key-1' });
    expect(asked[0]?.headers).not.toHaveProperty('cdi-version');
  });

  it.each([
    [['2.7', '5.3', '5.4', '5.5', '5.10'], '5.4'],
    [['5.0', '5.3', '4.0', '2.21'], '5.3'],
    [['4.0', '3.1', '5.7'], '4.0'],
    [['5.5', '5.6', '5.4', '5.60'], '5.6'],
  ])('of the offered versions %j takes %s', async (versions, taken) => {
    core.on('/apiversion', sendJson({ versions }));
    await operation('verifySession')(connect());
    expect(lastRequest().headers['cdi-version']).toBe(taken);
  });

  describe('when a core that speaks other versions has taken the place of the one that was agreed with', () => {
    /** A core that refuses other versions than its own before it does anything, as cores do. */
    const replaceBy = (offered: string, spoken = offered): void => {
      const respond: Behaviour = (response, request) => {
        const asked = request.headers['cdi-version'];
        const isSpoken = asked === spoken;
        (isSpoken ? content : sendText(400, `cdi-version ${String(asked)} not supported\n`))(
          response,
          request,
        );
      };
      core.on('*', respond).on('/apiversion', sendJson({ versions: [offered] }));
      core.received.length = 0;
    };
    const agreed = async (): Promise<HttpCoreClient> => {
      const remote = connect();
      await operation('getPrimaryUserId')(remote);
      return remote;
    };
    const sent = (): unknown[] => core.received.map(({ path, headers }) => headers['cdi-version'] ?? path);

    it.each(CORE_OPERATIONS)('agrees anew and repeats the call: $name', async ({ run }) => {
      const remote = await agreed();
      replaceBy('5.2');
      await expect(run(remote)).resolves.toBeDefined();
      expect(sent().slice(0, 3)).toEqual(['5.4', '/apiversion', '5.2']);
      expect(
        sent()
          .slice(3)
          .every((version) => version === '5.2'),
      ).toBe(true);
    });

    it('asks for the version once, however many calls it refused at once', async () => {
      const remote = await agreed();
      replaceBy('5.2');
      const refused: (() => void)[] = [];
      core.on('/recipe/session/verify', (response, request) => {
        if (request.headers['cdi-version'] === '5.2') return content(response, request);
        refused.push(() => sendText(400, 'cdi-version 5.4 not supported\n')(response, request));
      });
      const calls = Array.from({ length: 20 }, async () => operation('verifySession')(remote));
      await until(() => refused.length === 20);
      for (const response of refused.splice(1)) response();
      await Promise.all(calls.slice(1));
      refused[0]?.(); // the new version has long been agreed
      await calls[0];
      expect(core.received.filter(({ path }) => path === '/apiversion')).toHaveLength(1);
    });

    it('repeats a call only once, and the next call tries again', async () => {
      const remote = await agreed();
      replaceBy('5.2', '5.3');
      await expect(operation('createSession')(remote)).rejects.toThrow(CoreBadInputError);
      expect(sent()).toEqual(['5.4', '/apiversion', '5.2']);
      replaceBy('5.3');
      await operation('createSession')(remote);
      expect(sent()).toEqual(['/apiversion', '5.3']);
    });

    it('says so where they have no version in common', async () => {
      const remote = await agreed();
      replaceBy('5.7');
      await expect(operation('createSession')(remote)).rejects.toThrow(/speaks none of the CDI versions/);
      expect(sent()).toEqual(['5.4', '/apiversion']);
    });

    it('repeats nothing that was refused for another reason', async () => {
      const remote = await agreed();
      core.received.length = 0;
      core.on('*', sendText(400, "Field name 'cdi-version' is invalid in JSON input\n"));
      await expect(operation('createSession')(remote)).rejects.toThrow(CoreBadInputError);
      expect(sent()).toEqual(['5.4']);
    });
  });

  it.each(CORE_OPERATIONS)('carries version, key and kind: $name (T266)', async ({ run, path }) => {
    await run(connect({ apiKey: 'key-1' }));
    const { headers, method } = lastRequest();
    expect(headers).toMatchObject({ 'cdi-version': '5.4', 'api-key': 'key-1' });
    const recipeId = path === '/recipe/jwt' ? 'jwt' : path.startsWith('/recipe/') ? 'session' : undefined;
    expect(headers['rid']).toBe(recipeId);
    expect(headers['content-type']).toBe(method === 'GET' ? undefined : 'application/json; charset=utf-8');
  });

  it('puts the tenant into the path where the call is about one', async () => {
    const remote = connect();
    const ofTenant = { userId: 'ü/1', tenantId: 't-1', includeLinkedAccounts: false };
    await create(remote, { tenantId: 't-1', recipeUserId: 'ü/1' });
    expect(lastRequest().path).toBe('/t-1/recipe/session');
    expect(bodyOf(lastRequest())).toEqual({
      userId: 'ü/1',
      userDataInJWT: {},
      userDataInDatabase: {},
      useDynamicSigningKey: true,
      enableAntiCsrf: false,
    });
    await remote.getSessionHandlesOfUser(ofTenant, {});
    expect(lastRequest()).toMatchObject({
      path: '/t-1/recipe/session/user',
      query: { userId: 'ü/1', fetchSessionsForAllLinkedAccounts: 'false', fetchAcrossAllTenants: 'false' },
    });
    const called: CoreClient = remote;
    await called.revokeSessionsOfUser(ofTenant, {}, { reason: 'left', initiator: 'ada' }); // a Core knows neither
    expect(lastRequest().path).toBe('/t-1/recipe/session/remove');
    expect(bodyOf(lastRequest())).toEqual({
      userId: 'ü/1',
      revokeSessionsForLinkedAccounts: false,
      revokeAcrossAllTenants: false,
    });
    await remote.revokeSessionsOfUser({ ...ofTenant, tenantId: undefined }, {});
    expect(lastRequest().path).toBe('/recipe/session/remove');
    expect(bodyOf(lastRequest())).toMatchObject({ revokeAcrossAllTenants: true });
  });

  it.each(['..', '.', '', 'a/b', 'T1', 'appid-other', 'recipe', 'hello', 'ü', 'a%2fb', '-'.repeat(65)])(
    'never leaves the tenant %j to the path',
    async (tenantId) => {
      await expect(create(connect(), { tenantId })).rejects.toThrow(CoreBadInputError);
      expect(core.received).toEqual([]);
    },
  );

  it('leaves out what is not given: the core refuses null', async () => {
    const remote = connect();
    await operation('verifySession')(remote);
    expect(Object.keys(bodyOf(lastRequest())).sort()).toEqual([
      'accessToken',
      'checkDatabase',
      'doAntiCsrfCheck',
      'enableAntiCsrf',
    ]);
    await remote.regenerateAccessToken({ accessToken: 'a.b.c', userDataInJWT: undefined }, {});
    expect(bodyOf(lastRequest())).toEqual({ accessToken: 'a.b.c' });
  });

  it('keeps base path and app id in front of every path (T127)', async () => {
    const base = `${core.uri}/Base/appid-shop/`;
    const remote = connect({ connectionURI: base });
    await operation('createSession')(remote);
    await remote.verificationKeys.find(undefined);
    expect(core.received.map(({ path }) => path)).toEqual([
      '/Base/appid-shop/apiversion',
      '/Base/appid-shop/public/recipe/session',
      '/Base/appid-shop/.well-known/jwks.json',
    ]);
  });
});

describe('what the responses mean', () => {
  it('an unknown user is its own primary user', async () => {
    const remote = connect();
    await expect(remote.getPrimaryUserId('user-1', {})).resolves.toBe('user-1');
    core.on('/user/id', sendJson({ status: 'OK', user: { id: 'primary-1', isPrimaryUser: true } }));
    await expect(remote.getPrimaryUserId('user-1', {})).resolves.toBe('primary-1');
  });

  it('theft is a value, and nothing is revoked on the way: that is the business of the caller', async () => {
    const session = { handle: HANDLE, userId: 'user-1', recipeUserId: 'recipe-1' };
    core.on('/recipe/session/refresh', sendJson({ status: 'TOKEN_THEFT_DETECTED', session }));
    await expect(operation('refreshSession')(connect())).resolves.toEqual({
      status: 'TOKEN_THEFT_DETECTED',
      session,
    });
    expect(core.calls).toEqual(['POST /recipe/session/refresh']);
  });

  it('a handle of a tenant that the core does not have is the handle of no session', async () => {
    core.on('*', UNKNOWN_TENANT).on('/apiversion', content);
    const remote = connect();
    const handle = `${HANDLE}_gone`;
    await expect(remote.getSessionInformation(handle, {})).resolves.toBeUndefined();
    await expect(remote.updateSessionData(handle, {}, {})).resolves.toBe(false);
    await expect(remote.updateAccessTokenPayload(handle, {}, {})).resolves.toBe(false);
    await expect(remote.mergeSessionData(handle, {}, {})).resolves.toBe(false);
    await expect(remote.revokeSessions([handle], {})).resolves.toEqual([]);
    // With a handle of the default tenant, it is the app in the connection URI that does not exist.
    await expect(remote.getSessionInformation(HANDLE, {})).rejects.toThrow(CoreBadInputError);
  });

  it('a handle of a tenant that is gone does not keep the other sessions alive', async () => {
    const gone = `${HANDLE}_gone`;
    core.on('/recipe/session/remove', (response, request) => {
      const names = bodyOf(request)['sessionHandles'] as string[];
      const respond = names.includes(gone)
        ? UNKNOWN_TENANT
        : sendJson({ status: 'OK', sessionHandlesRevoked: names });
      respond(response, request);
    });
    await expect(connect().revokeSessions([HANDLE, gone, 'handle-2', HANDLE], {})).resolves.toEqual([
      HANDLE,
      'handle-2',
    ]);
  });

  it('sessions of several tenants are revoked by one call for each, so that the list names all that ended', async () => {
    const handles = [HANDLE, 'h2_t1', 'h3', 'h4_gone', 'h5_t1', 'h6_two_parts'];
    core.on('/recipe/session/remove', (response, request) => {
      const names = bodyOf(request)['sessionHandles'] as string[];
      const respond = names.includes('h4_gone')
        ? UNKNOWN_TENANT // a Core has ended those before it by then, and names none of them
        : sendJson({ status: 'OK', sessionHandlesRevoked: names });
      respond(response, request);
    });
    const revoked = await connect().revokeSessions(handles, {});
    expect(revoked.toSorted()).toEqual(handles.filter((handle) => handle !== 'h4_gone').toSorted());
    const calls = core.received.filter(({ path }) => path === '/recipe/session/remove');
    expect(calls.map((call) => bodyOf(call)['sessionHandles'])).toEqual([
      [HANDLE, 'h3'],
      ['h2_t1', 'h5_t1'],
      ['h4_gone'],
      ['h6_two_parts'],
    ]);
  });

  it('a failure for one tenant is an error, after the sessions of the others have ended', async () => {
    const ended: string[] = [];
    core.on('/recipe/session/remove', (response, request) => {
      const names = bodyOf(request)['sessionHandles'] as string[];
      if (names.includes('h2_t1')) return sendText(500, 'Internal Error')(response, request);
      ended.push(...names);
      sendJson({ status: 'OK', sessionHandlesRevoked: names })(response, request);
    });
    const failure: unknown = await connect()
      .revokeSessions(['h2_t1', HANDLE, 'h3_t3'], {})
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CoreResponseError);
    expect(failure).toHaveProperty('endedHandles', [HANDLE, 'h3_t3']);
    expect(ended).toEqual([HANDLE, 'h3_t3']);
    await expect(connect().revokeSessions(['h2_t1'], {})).rejects.not.toHaveProperty('endedHandles');
  });

  it('every call forbids caches, as those of supertokens-node do', async () => {
    const remote = connect();
    await remote.createSession(CREATION, {});
    await remote.getSessionInformation(HANDLE, {});
    await remote.verificationKeys.find('d-1');
    expect(core.received.length).toBeGreaterThan(3);
    for (const { headers } of core.received)
      expect(headers).toMatchObject({ 'cache-control': 'no-cache', pragma: 'no-cache' });
  });

  it('a creation has a connection of its own, on which it is known whether the core can have read it', async () => {
    const remote = connect();
    await remote.getSessionInformation(HANDLE, {});
    await remote.createSession(CREATION, {});
    const connections = core.received.map(({ path, headers }) => [path, headers['connection']]);
    expect(connections).toContainEqual(['/public/recipe/session', 'close']);
    expect(connections).toContainEqual(['/recipe/session', 'keep-alive']);
  });

  describe('a core that is starting', () => {
    const STARTING = sendText(404, '<!doctype html><html><title>HTTP Status 404 – Not Found</title></html>');

    it('is not available yet, for a creation too, and for its keys', async () => {
      core.on('*', STARTING);
      const remote = connect();
      for (const call of [
        remote.createSession(CREATION, {}),
        remote.getSessionInformation(HANDLE, {}),
        Promise.resolve(remote.verificationKeys.find('d-1')),
      ]) {
        const error: unknown = await call.catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(CoreUnavailableError);
        expect(error).toMatchObject({
          retryAfterSec: 1,
          message: expect.stringMatching(/^No SuperTokens core available to query: .* it may be starting/),
        });
      }
    });

    it('is passed over: the next host serves, for a creation too', async () => {
      const other = await FakeCore.start();
      core.on('*', STARTING);
      client = clientOf([core, other]);
      for (let i = 0; i < 4; i++) {
        await client.createSession(CREATION, {});
        await client.getSessionInformation(HANDLE, {});
      }
      expect(client.hostHealth.map(({ state }) => state)).toEqual(['DOWN', 'UP']);
      await other.kill();
    });

    it('is another one than a Core that does not know a path', async () => {
      core.on('/recipe/session', sendText(404, 'Not found\n'));
      await expect(connect().getSessionInformation(HANDLE, {})).rejects.toThrow(CoreResponseError);
    });
  });

  it('nothing to revoke is no call', async () => {
    await expect(connect().revokeSessions([], {})).resolves.toEqual([]);
    expect(core.received).toEqual([]);
  });

  it('merging session data writes what was read just now, with the update over it', async () => {
    const remote = connect();
    const userContext = {};
    await remote.getSessionInformation(HANDLE, userContext);
    core.on(
      '/recipe/session',
      sendJson({ ...GOOD_RESPONSES.information, userDataInDatabase: { cart: 5, old: true } }),
    );
    await expect(remote.mergeSessionData(HANDLE, { note: 'x', old: null }, userContext)).resolves.toBe(true);
    expect(bodyOf(lastRequest())).toEqual({
      sessionHandle: HANDLE,
      userDataInDatabase: { cart: 5, note: 'x' },
    });
  });

  it('the keys may be cached as long as the core says, a minute otherwise (T278)', async () => {
    const remote = connect({ disableCoreCallCache: true });
    await expect(remote.getJwks({})).resolves.toMatchObject({ validityInSeconds: 60 });
    core.on('*', sendJson(GOOD_RESPONSES.keys, { 'cache-control': 'max-age=3539, must-revalidate' }));
    await expect(remote.getJwks({})).resolves.toEqual({
      keys: GOOD_RESPONSES.keys['keys'],
      validityInSeconds: 3539,
    });
  });

  it('roles and permissions come from the user-roles recipe', async () => {
    const { userRoles } = connect();
    const userContext = {};
    await expect(
      userRoles.getRolesForUser({ userId: 'user-1', tenantId: 't1', userContext }),
    ).resolves.toEqual(['admin', 'editor']);
    expect(lastRequest()).toMatchObject({
      path: '/t1/recipe/user/roles',
      query: { userId: 'user-1' },
      headers: { rid: 'userroles' },
    });
    await expect(userRoles.getPermissionsForRole({ role: 'admin', userContext })).resolves.toEqual([
      'read',
      'write',
    ]);
    core.on('/recipe/role/permissions', sendJson({ status: 'UNKNOWN_ROLE_ERROR' }));
    await expect(userRoles.getPermissionsForRole({ role: 'gone', userContext })).resolves.toEqual([]);
  });
});

describe('reads of one user context', () => {
  const read = operation('getSessionInformation');
  const write = operation('updateSessionData');
  const reads = (): number => core.calls.filter((call) => call === 'GET /recipe/session').length;
  const ofRequest = (): UserContext => ({ _default: { keepCacheAlive: true } });

  it('share one call until something is written through it (T274)', async () => {
    const remote = connect();
    const userContext = ofRequest();
    await read(remote, userContext);
    await read(remote, { ...userContext });
    expect(reads()).toBe(1);
    await write(remote, userContext);
    await read(remote, userContext);
    expect(reads()).toBe(2);
  });

  it('share nothing with other contexts, other questions and other clients', async () => {
    const remote = connect();
    const userContext = ofRequest();
    await read(remote, userContext);
    await read(remote, ofRequest());
    await remote.getSessionInformation('another-handle', userContext);
    const other = clientOf(core);
    await read(other, userContext);
    await other.close();
    expect(reads()).toBe(4);
  });

  it('are kept over writes of other requests, but not over writes outside of requests', async () => {
    const remote = connect();
    const userContext = ofRequest();
    await read(remote, userContext);
    await write(remote, ofRequest());
    await read(remote, userContext);
    expect(reads()).toBe(1);
    await write(remote, {});
    await read(remote, userContext);
    expect(reads()).toBe(2);
  });

  it('give each caller a result of its own to change', async () => {
    const remote = connect();
    const userContext = ofRequest();
    const first = await remote.getSessionInformation(HANDLE, userContext);
    if (first) first.userDataInDatabase['cart'] = 'changed';
    const second = await remote.getSessionInformation(HANDLE, userContext);
    expect(second?.userDataInDatabase).toEqual({ cart: 3 });
    expect(reads()).toBe(1);
  });

  it('do not keep failures, nor what a write overtook', async () => {
    const remote = connect();
    const userContext = ofRequest();
    core.on('/recipe/session', sendText(500, ''), content);
    await expect(read(remote, userContext)).rejects.toThrow('status 500');
    await read(remote, userContext);
    expect(reads()).toBe(2);

    const slow = ofRequest();
    const responses: (() => void)[] = [];
    core.on('/recipe/session', (response, request) => {
      responses.push(() => content(response, request));
    });
    const overtaken = read(remote, slow);
    await until(() => responses.length === 1);
    await write(remote, slow);
    responses[0]?.();
    await overtaken;
    core.on('/recipe/session', content);
    await read(remote, slow);
    expect(reads()).toBe(4);
  });

  it('are kept over reads of the feed, which are sent by POST', async () => {
    const remote = connect();
    const page = { records: [], position: '0_1796000000000-0_f38d9d', seen: '1', isPushing: true };
    core.on('/nest-sessions/revocations', sendJson({ status: 'OK', ...page }));
    const userContext = ofRequest();
    await read(remote, userContext);
    await expect(remote.revocationFeed.read(undefined)).resolves.toMatchObject(page);
    await remote.revocationFeed.read(page.position);
    expect(lastRequest()).toMatchObject({
      method: 'POST',
      query: {},
      body: { after: page.position, waitMs: 0 },
    });
    await read(remote, userContext);
    expect(reads()).toBe(1);
  });

  it('ask each time when the cache is off', async () => {
    const remote = connect({ disableCoreCallCache: true });
    const userContext = ofRequest();
    await read(remote, userContext);
    await read(remote, userContext);
    expect(reads()).toBe(2);
  });
});

describe('the network interceptor', () => {
  it('sees each attempt with its context, the question for the version too, but not the keys for verifying', async () => {
    const seen: [CoreNetworkRequest, UserContext][] = [];
    const remote = connect({
      networkInterceptor: (request, userContext) => {
        seen.push([structuredClone(request), userContext]);
        return request;
      },
    });
    core.on('/public/recipe/session', sendText(429, ''), content);
    const userContext = { mine: true };
    await operation('createSession')(remote, userContext);
    await operation('getSessionInformation')(remote, userContext);
    await remote.verificationKeys.find(undefined);
    expect(seen.map(([{ method, url }]) => `${method} ${url.slice(core.uri.length)}`)).toEqual([
      'get /apiversion',
      'post /public/recipe/session',
      'post /public/recipe/session',
      'get /recipe/session',
    ]);
    expect(seen.every(([, context]) => context === userContext)).toBe(true);
    expect(seen[3]?.[0].params).toEqual({ sessionHandle: HANDLE });
    expect(seen[1]?.[0].body).toMatchObject({ userId: 'user-1' });
    expect(seen[1]?.[0].headers).toMatchObject({ 'cdi-version': '5.4', rid: 'session' });
  });

  it('changes url, headers, params and body; what it leaves out stays', async () => {
    const remote = connect({
      networkInterceptor: ({ url, headers, method, params }) => ({
        url: url.replace('/recipe/', '/prefix/recipe/'),
        method,
        headers: { ...headers, 'x-added': 'yes' },
        ...(params && { params: { ...params, added: 1, none: undefined } }),
      }),
    });
    await operation('getSessionInformation')(remote);
    expect(lastRequest()).toMatchObject({
      path: '/prefix/recipe/session',
      query: { sessionHandle: HANDLE, added: '1' },
      headers: { 'x-added': 'yes', 'cdi-version': '5.4' },
    });
    await operation('updateSessionData')(remote);
    expect(bodyOf(lastRequest())).toEqual({ sessionHandle: HANDLE, userDataInDatabase: { cart: 4 } });
  });

  it('that throws or makes no URL of it fails the call with its own error', async () => {
    const thrown = new Error('mine');
    const throwing = connect({
      networkInterceptor: () => {
        throw thrown;
      },
    });
    await expect(operation('verifySession')(throwing)).rejects.toBe(thrown);
    await throwing.close();
    const lost = connect({ networkInterceptor: (request) => ({ ...request, url: 'ftp://x' }) });
    await expect(operation('verifySession')(lost)).rejects.toThrow(TypeError);
    expect(core.received).toEqual([]);
  });
});
