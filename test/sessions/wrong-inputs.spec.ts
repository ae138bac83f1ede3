import { EventEmitter } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { of } from 'rxjs';
import {
  SessionContainer,
  SessionService,
  SessionSockets,
  SessionStreams,
  UserRoleClaim,
  type RecipeInterface,
} from 'nest-sessions';
import { sessionErrorOf } from '../support/session-error-of.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';

type Call = (...args: unknown[]) => Promise<unknown>;

const USER = '42';
let application: StandaloneApplication;
let service: Record<keyof SessionService, Call>;
let session: SessionContainer;
let container: Record<keyof SessionContainer, Call>;
let handle: string;

beforeAll(async () => {
  application = await TestApplication.withoutServer().start();
  service = application.sessions as unknown as typeof service;
  session = await application.sessions.createNewSessionWithoutRequestResponse({ userId: USER });
  container = session as unknown as typeof container;
  handle = session.getHandle();
});

afterAll(() => application.close());

const isAlive = async () => (await application.sessions.getSessionInformation(handle)) !== undefined;

/** Values that JavaScript, or a type assertion, lets through where an id, a handle or an object is declared. */
const NEVER_AN_ID = [undefined, null, '', 42, Number.NaN, true, ['42'], {}, Symbol('42'), new String('42')];

describe('a call with a wrong argument', () => {
  it.each(['revokeAllSessionsForUser', 'getAllSessionHandlesForUser'] as const)(
    'of %s is refused instead of finding no session',
    async (name) => {
      for (const userId of [...NEVER_AN_ID, 'x'.repeat(129)]) {
        await expect(service[name]({ userId })).rejects.toThrow(new RegExp(`^${name}: userId is `));
      }
      for (const input of [
        undefined,
        null,
        USER,
        42,
        [USER],
        new Map([['userId', USER]]),
        Promise.resolve({}),
      ]) {
        await expect(service[name](input)).rejects.toThrow(new RegExp(`^${name}: input is `));
      }
      for (const tenantId of [null, '', 7, ['public']]) {
        await expect(service[name]({ userId: USER, tenantId })).rejects.toThrow(TypeError);
      }
      expect(await isAlive()).toBe(true);
    },
  );

  it.each([
    [{ userID: USER }, 'userID there is no such option; did you mean userId?; userId is missing'],
    [{ userId: USER, tenantID: 'a' }, 'did you mean tenantId?'],
    [{ userId: USER, revokeAcrossAllTenant: true }, 'there are userId, tenantId, includeLinkedAccounts'],
    [{ userId: USER, includeLinkedAccounts: 'false' }, 'includeLinkedAccounts is a string; true or false'],
    [Object.create({ userId: USER }), 'userId is missing'],
    [JSON.parse(`{ "userId": "${USER}", "__proto__": { "tenantId": "nowhere" } }`), '__proto__'],
  ])('names what it does not know in %p', async (input, message) => {
    await expect(service.revokeAllSessionsForUser(input)).rejects.toThrow(message);
    expect(await isAlive()).toBe(true);
  });

  it('does not take a tenant from the prototype of its input', async () => {
    const { userId } = { userId: 'inherits' };
    await application.sessions.createNewSessionWithoutRequestResponse({ userId });
    const input = Object.assign(Object.create({ tenantId: 'nowhere' }) as object, { userId });
    expect(await service.revokeAllSessionsForUser(input)).toHaveLength(1);
  });

  it('acts on what was checked, if its input changes afterwards', async () => {
    const userId = 'changes';
    await application.sessions.createNewSessionWithoutRequestResponse({ userId });
    let reads = 0;
    const input = {
      get userId() {
        return reads++ < 2 ? userId : undefined;
      },
    };
    expect(await service.revokeAllSessionsForUser(input)).toHaveLength(1);
  });

  it('is refused by every function that takes a handle, without showing what it was given', async () => {
    const { accessToken, refreshToken = '', frontToken } = session.getAllSessionTokensDangerously();
    const calls: [string, unknown[]][] = [
      ['revokeSession', []],
      ['getSessionInformation', []],
      ['updateSessionDataInDatabase', [{}]],
      ['mergeSessionDataInDatabase', [{}]],
      ['mergeIntoAccessTokenPayload', [{}]],
      ['fetchAndSetClaim', [UserRoleClaim]],
      ['setClaimValue', [UserRoleClaim, []]],
      ['getClaimValue', [UserRoleClaim]],
      ['removeClaim', [UserRoleClaim]],
      ['validateClaimsForSessionHandle', []],
    ];
    for (const [name, rest] of calls) {
      const call = service[name as keyof SessionService].bind(service);
      for (const wrong of [...NEVER_AN_ID, session, accessToken, refreshToken, frontToken]) {
        const error: unknown = await call(wrong, ...rest).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(TypeError);
        const { message } = error as TypeError;
        expect(message).toMatch(new RegExp(`^${name}: sessionHandle is `));
        const secret = typeof wrong === 'string' && wrong !== '' ? wrong.slice(0, 12) : 'no secret';
        expect(message).not.toContain(secret);
      }
      await expect(call(handle, ...rest, 'a context')).rejects.toThrow(TypeError);
    }
    expect(await isAlive()).toBe(true);
  });

  it('is refused by revokeMultipleSessions for a list that holds anything but handles', async () => {
    const holes = [handle];
    holes.length = 2;
    for (const wrong of [handle, undefined, [handle, 7], [undefined], [[handle]], holes, new Set([handle])]) {
      await expect(service.revokeMultipleSessions(wrong)).rejects.toThrow(TypeError);
    }
    await expect(service.revokeMultipleSessions(handle, handle)).rejects.toThrow(TypeError);
    expect(await isAlive()).toBe(true);
    expect(await service.revokeMultipleSessions([])).toEqual([]);
  });

  it.each([undefined, 7, 'token.with.dots', ''])(
    'never ends all sessions because the one that stays is %p',
    async (sessionHandle) => {
      const call = service.revokeAllOtherSessions({ userId: USER, sessionHandle });
      await expect(call).rejects.toThrow(/^revokeAllOtherSessions: sessionHandle is /);
      expect(await isAlive()).toBe(true);
    },
  );

  it.each<[string, unknown[]]>([
    ['createNewSessionWithoutRequestResponse', ['public', USER]],
    ['createNewSessionWithoutRequestResponse', [{ userId: USER, recipeUserId: 42 }]],
    ['createNewSessionWithoutRequestResponse', [{ userId: USER, accessTokenPayLoad: {} }]],
    ['createNewSessionWithoutRequestResponse', [{ userId: USER, accessTokenPayload: new Map([['a', 1]]) }]],
    ['createNewSessionWithoutRequestResponse', [{ userId: USER, disableAntiCsrf: 'no' }]],
    ['getSessionWithoutRequestResponse', ['token']],
    ['getSessionWithoutRequestResponse', [{ accessToken: 7, sessionRequired: false }]],
    ['getSessionWithoutRequestResponse', [{ accesToken: 'x', sessionRequired: false }]],
    ['getSessionWithoutRequestResponse', [{ accessToken: 'x', checkDataBase: true }]],
    ['refreshSessionWithoutRequestResponse', ['token']],
    ['refreshSessionWithoutRequestResponse', [{ refreshToken: 7 }]],
    ['validateClaimsInJWTPayload', [{ userId: 42, jwtPayload: {} }]],
    ['validateClaimsInJWTPayload', [{ userId: USER, jwtPayload: 'a.b.c' }]],
    ['validateClaimsInJWTPayload', [{ userId: USER, jwtPayload: {} }, []]],
    ['createJWT', [{ userId: USER }]],
    ['createJWT', [{ payload: {} }, 60]],
    ['createJWT', [{ payload: {}, validitySeconds: Number.NaN }]],
    ['createJWT', [{ payload: {}, validitySeconds: '60' }]],
    ['createJWT', [{ payload: Promise.resolve({}) }]],
    ['createJWT', [{ validitySec: 60 }]],
    ['getJWKS', ['context']],
    ['getOpenIdDiscoveryConfiguration', [7]],
  ])('is refused by %s%p', async (name, args) => {
    const call = service[name as keyof SessionService].bind(service);
    await expect(call(...args)).rejects.toThrow(new RegExp(`^${name}: `));
    await expect(call(...args)).rejects.toThrow(TypeError);
  });

  it.each(['createNewSession', 'getSession', 'refreshSession'] as const)(
    'is refused by %s where request and response are not what Nest injects',
    async (name) => {
      const res = { getHeader() {}, setHeader() {}, removeHeader() {}, end() {} };
      const req = { headers: {}, method: 'GET', url: '/' };
      const rest = name === 'createNewSession' ? [{ userId: USER }] : [];
      await expect(service[name](res, req, ...rest)).rejects.toThrow(`${name}: req is an object; `);
      await expect(service[name](res, req, ...rest)).rejects.toThrow('swapped');
      await expect(service[name](req, undefined, ...rest)).rejects.toThrow(`${name}: res is missing`);
    },
  );

  it.each<[string, unknown[]]>([
    ['revokeSession', ['context']],
    ['revokeAllOtherSessions', ['public']],
    ['revokeAllOtherSessions', [{ tenantID: 'public' }]],
    ['updateSessionDataInDatabase', [new Map([['a', 1]])]],
    ['mergeSessionDataInDatabase', [undefined]],
    ['mergeIntoAccessTokenPayload', [Promise.resolve({ a: 1 })]],
    ['mergeIntoAccessTokenPayload', [[1]]],
    ['assertClaims', ['']],
    ['assertClaims', [undefined]],
    ['assertClaims', [[UserRoleClaim]]],
    ['fetchAndSetClaim', [UserRoleClaim.validators.includes('admin')]],
    ['setClaimValue', [UserRoleClaim]],
    ['setClaimValue', [UserRoleClaim, Number.NaN]],
    ['getClaimValue', ['st-role']],
    ['removeClaim', [undefined]],
    ['attachToRequestResponse', [{}]],
    ['recordAuthentication', [7]],
    ['getTimeCreated', [7]],
  ])('is refused by the session: %s%p', async (name, args) => {
    const call = container[name as keyof SessionContainer].bind(container);
    await expect(call(...args)).rejects.toThrow(new RegExp(`^${name}: `));
    expect(await isAlive()).toBe(true);
  });

  it.each([undefined, null, 'a client', 7, {}, { handshake: {} }])(
    'is refused by SessionSockets.renew for the connection %p, which was never admitted',
    async (client) => {
      const sockets = application.app.get(SessionSockets);
      const call = sockets.renew(client as object, session.getAccessToken());
      await expect(call).rejects.toThrow(TypeError);
      expect(await isAlive()).toBe(true);
    },
  );

  it('is no token to SessionSockets.renew, where a client sent it: the connection keeps what it has', async () => {
    const sockets = application.app.get(SessionSockets);
    const authorization = `Bearer ${session.getAccessToken()}`;
    const handshake = { headers: { authorization }, url: '/', auth: {}, address: '127.0.0.1' };
    const client = Object.assign(new EventEmitter(), { handshake, disconnect() {} });
    await sockets.admit(client);
    const { refreshToken, frontToken } = session.getAllSessionTokensDangerously();
    for (const wrong of [
      undefined,
      null,
      '',
      7,
      {},
      [session.getAccessToken()],
      handle,
      refreshToken,
      frontToken,
    ]) {
      expect(await sessionErrorOf(sockets.renew(client, wrong))).toMatchObject({ type: 'UNAUTHORISED' });
      expect(sockets.sessionOf(client)?.getHandle()).toBe(handle);
    }
    const call = sockets.renew.bind(sockets) as Call;
    await expect(call(client, session.getAccessToken(), { checkDatabase: false })).rejects.toThrow(
      'renew: the arguments are 3; it takes 2: client, accessToken',
    );
    const renewed = await sockets.renew(client, session.getAccessToken());
    expect(renewed.getHandle()).toBe(handle);
    expect(await isAlive()).toBe(true);
  });

  it('is refused by the connections', async () => {
    const sockets = application.app.get(SessionSockets);
    const streams = application.app.get(SessionStreams);
    const client = { handshake: {} };
    await expect(sockets.admit(client, { checkDatabase: true })).rejects.toThrow(/^admit: request is/);
    await expect(sockets.admit(client, undefined, { checkDataBase: true } as object)).rejects.toThrow(
      'did you mean checkDatabase?',
    );
    await expect(sockets.admit(undefined as unknown as object)).rejects.toThrow(TypeError);
    expect(() => of(1).pipe(streams.untilSessionEnds(handle as unknown as SessionContainer))).toThrow(
      /^untilSessionEnds: session is a string/,
    );
  });
});

describe('a call with the right arguments', () => {
  it('still takes nulls where an absent object is meant, and class instances', async () => {
    class Input {
      readonly userId = 'of-a-class';
      readonly accessTokenPayload = null;
    }
    await expect(service.createNewSessionWithoutRequestResponse(new Input())).resolves.toBeDefined();
    expect(await service.updateSessionDataInDatabase(handle, null)).toBe(true);
  });

  it('hands overrides the very objects that it was given', async () => {
    const seen: unknown[] = [];
    const other = await TestApplication.withoutServer()
      .with({
        override: {
          functions: (original: RecipeInterface) => ({
            ...original,
            getSession: async (input) => {
              seen.push(input.options, input.userContext);
              return original.getSession(input);
            },
          }),
        },
      })
      .start();
    const req = { headers: {}, method: 'GET', url: '/', complete: true };
    const res = { getHeader() {}, setHeader() {}, removeHeader() {}, end() {} };
    const options = { checkDatabase: true, overrideGlobalClaimValidators: () => [] };
    const userContext = { mine: true };
    await sessionErrorOf(other.sessions.getSession(req, res, options, userContext));
    const bearer = { ...req, headers: { authorization: `Bearer ${session.getAccessToken()}` } };
    await sessionErrorOf(other.sessions.getSession(bearer, res, options, userContext));
    expect((seen[0] as typeof options).overrideGlobalClaimValidators).toBe(
      options.overrideGlobalClaimValidators,
    );
    expect(seen[1]).toBe(userContext);
    await other.close();
  });
});
