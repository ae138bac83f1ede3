import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { remoteCore } from '../../../lib/core/remote/http-core-client.js';
import { SessionCoreModule } from '../../../lib/core/server/session-core.module.js';
import { SessionConfigError } from '../../../lib/options/config-error.js';
import type { JsonObject } from '../../../lib/util/json.js';
import { CREATION, decoded } from '../../support/core-calls.js';
import { sqliteStore } from '../../../lib/stores/sqlite.store.js';
import { rowOf, seededMemoryStore, seedSigningKeys } from '../../support/embedded.js';
import {
  startServedCore,
  withServedCore,
  type RawResponse,
  type ServedCore,
} from '../../support/served-core.js';
import { ADAPTERS } from '../../support/test-application.js';

const HOUR_MS = 3_600_000;
const GRACE_MS = 30_000;
const TOKEN = { token: expect.any(String), expiry: expect.any(Number), createdTime: expect.any(Number) };

interface Pair {
  readonly session: { readonly handle: string; readonly userId: string };
  readonly accessToken: { readonly token: string; readonly expiry: number };
  readonly refreshToken: { readonly token: string; readonly expiry: number };
}

/** Calls of a client of one version; its responses are the bodies as they came. */
class Caller {
  constructor(
    readonly core: ServedCore,
    private readonly version = '5.6',
  ) {}

  async send(path: string, body: object): Promise<RawResponse> {
    return this.core.post(path, body, { 'cdi-version': this.version });
  }

  async create(changes: JsonObject = {}, path = '/recipe/session'): Promise<Pair> {
    const { recipeUserId: userId, tenantId: _, ...creation } = CREATION;
    return (await this.send(path, { userId, ...creation, ...changes })).json as Pair;
  }

  async refresh(refreshToken: string, changes: JsonObject = {}): Promise<unknown> {
    const body = { refreshToken, enableAntiCsrf: false, useDynamicSigningKey: true, ...changes };
    return (await this.send('/recipe/session/refresh', body)).json;
  }

  /** @returns the tokens of a refresh that must work */
  async rotate(refreshToken: string, changes: JsonObject = {}): Promise<Pair> {
    const response = (await this.refresh(refreshToken, changes)) as Pair & { readonly status: string };
    if (response.status !== 'OK') throw new Error(`The refresh returned ${JSON.stringify(response)}`);
    return response;
  }

  async verify(accessToken: string, checkDatabase = true, path = '/recipe/session/verify'): Promise<unknown> {
    const body = { accessToken, doAntiCsrfCheck: false, enableAntiCsrf: false, checkDatabase };
    const response = await this.send(path, body);
    return response.status === 200 ? response.json : `${response.status} ${response.text}`;
  }
}

describe.each(ADAPTERS)('the served core on %s, to callers of CDI 5.6', (adapter) => {
  const stored = seededMemoryStore();
  let served: ServedCore;
  let caller: Caller;
  let older: Caller;
  const session = (pair: Pair) => ({ handle: pair.session.handle, userId: 'user-1', recipeUserId: 'user-1' });
  const isGone = async (pair: Pair): Promise<boolean> =>
    rowOf(await stored, pair.session.handle).then(
      () => false,
      () => true,
    );

  beforeAll(async () => {
    served = await startServedCore({ adapter, coreOptions: { store: await stored } });
    caller = new Caller(served);
    older = new Caller(served, '5.5');
  });
  afterAll(() => served.close());

  it('names the version among those that it serves', async () => {
    expect((await served.send({ path: '/apiversion' })).json).toEqual({
      versions: ['5.0', '5.1', '5.2', '5.3', '5.4', '5.5', '5.6'],
    });
  });

  it('replaces the refresh token with the refresh, with the keys that older versions have (C91)', async () => {
    const first = await caller.create();
    const next = await caller.rotate(first.refreshToken.token);
    expect(next).toEqual({
      status: 'OK',
      session: first.session,
      accessToken: TOKEN,
      refreshToken: TOKEN,
    });
    expect(decoded(next.accessToken.token).payload).toMatchObject({ parentRefreshTokenHash1: null });
    expect(await rowOf(await stored, first.session.handle)).toMatchObject({
      rotatedAtMs: served.clock.now(),
    });
  });

  it('gives another pair to the same old token within the grace period, and then theft (C92 C93 C100)', async () => {
    const first = await caller.create();
    const next = await caller.rotate(first.refreshToken.token);
    served.clock.advance(GRACE_MS);
    const again = await caller.rotate(first.refreshToken.token);
    expect(again.refreshToken.token).not.toBe(next.refreshToken.token);
    served.clock.advance(1);
    expect(await caller.refresh(first.refreshToken.token)).toEqual({
      status: 'TOKEN_THEFT_DETECTED',
      session: session(first),
      recentTokenReuseSubtype: 'RECENT_PREV',
    });
    expect(await isGone(first)).toBe(true);
    expect(await caller.refresh(again.refreshToken.token)).toEqual({
      status: 'UNAUTHORISED',
      message: 'Session missing in db or has expired',
    });
  });

  it('reports an orphaned branch, and a stale lineage, and has ended the session (C94 C95)', async () => {
    const first = await caller.create();
    const lost = await caller.rotate(first.refreshToken.token);
    await caller.rotate(first.refreshToken.token);
    const other = await caller.create();
    const second = await caller.rotate(other.refreshToken.token);
    await caller.rotate(second.refreshToken.token);
    for (const [pair, presented, recentTokenReuseSubtype] of [
      [first, lost, 'ORPHANED_BRANCH'],
      [other, other, 'STALE_LINEAGE'],
    ] as const) {
      expect(await caller.refresh(presented.refreshToken.token)).toEqual({
        status: 'TOKEN_THEFT_DETECTED',
        session: session(pair),
        recentTokenReuseSubtype,
      });
      expect(await isGone(pair)).toBe(true);
    }
  });

  it('rotates the unused child that an older caller got (C98)', async () => {
    const first = await older.create();
    const child = await older.rotate(first.refreshToken.token);
    const next = await caller.rotate(child.refreshToken.token);
    expect(await caller.refresh(first.refreshToken.token)).toMatchObject({
      status: 'TOKEN_THEFT_DETECTED',
      recentTokenReuseSubtype: 'STALE_LINEAGE',
    });
    expect(await caller.refresh(next.refreshToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
  });

  it('keeps the older semantics for older callers, and for those that name no version', async () => {
    const first = await older.create();
    const child = await older.rotate(first.refreshToken.token);
    const repeated = (
      await served.send({
        method: 'POST',
        path: '/recipe/session/refresh',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          refreshToken: first.refreshToken.token,
          enableAntiCsrf: false,
          useDynamicSigningKey: true,
        }),
      })
    ).json as Pair;
    expect(repeated.refreshToken.token).toBe(child.refreshToken.token);
    expect(await older.verify(repeated.accessToken.token)).toEqual({
      status: 'OK',
      session: child.session,
      accessToken: TOKEN,
    });
    expect(await older.refresh(first.refreshToken.token)).toEqual({
      status: 'TOKEN_THEFT_DETECTED',
      session: session(first),
    });
    expect(await isGone(first)).toBe(false);
  });

  it('verifies without a write and without a new token, and tells of a changed payload (C53 C54 C55 C56)', async () => {
    const first = await older.create({ userDataInJWT: { a: 1 } });
    const child = await older.rotate(first.refreshToken.token);
    const before = await rowOf(await stored, first.session.handle);
    const response = { status: 'OK', session: child.session };
    expect(await caller.verify(child.accessToken.token, false)).toEqual(response);
    expect(await caller.verify(child.accessToken.token)).toEqual({
      ...response,
      payloadUpdateAvailable: false,
    });
    expect(await rowOf(await stored, first.session.handle)).toEqual(before);
    await served.send({
      method: 'PUT',
      path: '/recipe/jwt/data',
      headers: { 'cdi-version': '5.6', 'content-type': 'application/json' },
      body: JSON.stringify({ sessionHandle: first.session.handle, userDataInJWT: { a: 2 } }),
    });
    expect(await caller.verify(child.accessToken.token)).toEqual({
      ...response,
      payloadUpdateAvailable: true,
    });
    expect(await caller.verify(child.accessToken.token, false)).toEqual(response);
  });

  it('accepts a token one generation old, and one of two only without a look at the database (C57 C58)', async () => {
    const first = await caller.create();
    const second = await caller.rotate(first.refreshToken.token);
    expect(await caller.verify(first.accessToken.token)).toMatchObject({ status: 'OK' });
    await caller.rotate(second.refreshToken.token);
    expect(await caller.verify(first.accessToken.token)).toEqual({
      status: 'UNAUTHORISED',
      message: 'rotated-out token branch; refresh required',
    });
    expect(await caller.verify(first.accessToken.token, false)).toMatchObject({ status: 'OK' });
  });

  it('refuses a verification below another tenant, which 5.5 allows (C59)', async () => {
    const { accessToken } = await caller.create({}, '/t1/recipe/session');
    const path = '/t1/recipe/session/verify';
    expect(await caller.verify(accessToken.token, true, path)).toBe(
      '403 Only public tenantId can call this app specific API\n',
    );
    expect(await older.verify(accessToken.token, true, path)).toMatchObject({ status: 'OK' });
    expect(await caller.verify(accessToken.token, true, '/public/recipe/session/verify')).toMatchObject({
      status: 'OK',
    });
  });

  it.each([600_000, HOUR_MS])(
    'gives an access token the life that is asked for: %d ms (C18 C19)',
    async (accessTokenValidity) => {
      const first = await caller.create({ accessTokenValidity });
      const now = served.clock.now();
      expect(first.accessToken.expiry).toBe(Math.floor((now + accessTokenValidity) / 1000) * 1000);
      const next = await caller.rotate(first.refreshToken.token, { accessTokenValidity });
      expect(next.accessToken.expiry).toBe(first.accessToken.expiry);
      expect(next.refreshToken.expiry).toBe(now + 8_640_000_000);
    },
  );

  it.each([HOUR_MS + 1000, 0, -1])(
    'refuses another life with field and limit, and leaves the session alone: %d ms (C20)',
    async (accessTokenValidity) => {
      const { refreshToken, session: known } = await caller.create();
      const before = await rowOf(await stored, known.handle);
      const { recipeUserId: userId, tenantId: _, ...creation } = CREATION;
      const refreshing = {
        refreshToken: refreshToken.token,
        enableAntiCsrf: false,
        useDynamicSigningKey: true,
      };
      for (const response of [
        await caller.send('/recipe/session', { userId, ...creation, accessTokenValidity }),
        await caller.send('/recipe/session/refresh', { ...refreshing, accessTokenValidity }),
      ]) {
        expect(response.status).toBe(400);
        expect(response.text).toMatch(/accessTokenValidity .*3600000/);
      }
      expect(await rowOf(await stored, known.handle)).toEqual(before);
    },
  );

  it.each(['600000', null, true])(
    'refuses a life that is no number (%j), which older callers may send (C21)',
    async (accessTokenValidity) => {
      const { refreshToken } = await caller.create();
      const body = { refreshToken: refreshToken.token, enableAntiCsrf: false, useDynamicSigningKey: true };
      const response = await caller.send('/recipe/session/refresh', { ...body, accessTokenValidity });
      expect(`${response.status} ${response.text}`).toBe(
        "400 Field name 'accessTokenValidity' is invalid in JSON input\n",
      );
      expect(await older.refresh(refreshToken.token, { accessTokenValidity })).toMatchObject({
        status: 'OK',
      });
    },
  );

  it('reports reuse softly where the option says so, except that of an older token (C96 C97)', async () => {
    const options = { recentTokenReuseBehaviour: 'UNAUTHORISED' } as const;
    await withServedCore({ adapter, options }, async (soft) => {
      const softly = new Caller(soft);
      const message = expect.any(String);
      const first = await softly.create();
      await softly.rotate(first.refreshToken.token);
      soft.clock.advance(GRACE_MS + 1);
      expect(await softly.refresh(first.refreshToken.token)).toEqual({
        status: 'UNAUTHORISED',
        message,
        recentTokenReuseSubtype: 'RECENT_PREV',
      });
      expect(await softly.verify(first.accessToken.token)).toMatchObject({ status: 'UNAUTHORISED' });

      const other = await softly.create();
      const lost = await softly.rotate(other.refreshToken.token);
      await softly.rotate(other.refreshToken.token);
      expect(await softly.refresh(lost.refreshToken.token)).toMatchObject({
        status: 'UNAUTHORISED',
        recentTokenReuseSubtype: 'ORPHANED_BRANCH',
      });

      const third = await softly.create();
      const next = await softly.rotate(third.refreshToken.token);
      await softly.rotate(next.refreshToken.token);
      expect(await softly.refresh(third.refreshToken.token)).toEqual({
        status: 'TOKEN_THEFT_DETECTED',
        session: session(third),
        recentTokenReuseSubtype: 'STALE_LINEAGE',
      });
      expect(await softly.verify(third.accessToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
    });
  });

  it('tells instances at once that reuse has ended a session', async () => {
    const store = sqliteStore(':memory:'); // its feed announces nothing itself
    await seedSigningKeys(store);
    const feed = { revocationFeed: true };
    await withServedCore({ adapter, options: feed, coreOptions: { store } }, async (feeding) => {
      const there = new Caller(feeding);
      const ask = async (body: object): Promise<{ position: string; seen: string; records: unknown[] }> =>
        (await there.send('/nest-sessions/revocations', body)).json as never;
      const { position: after, seen } = await ask({});
      const waiting = ask({ after, seen, waitMs: 20_000 });
      const first = await there.create();
      await there.rotate(first.refreshToken.token);
      feeding.clock.advance(GRACE_MS + 1);
      await there.refresh(first.refreshToken.token);
      const page = await waiting;
      expect(page.records).toMatchObject([
        { kind: 'session', id: first.session.handle, reason: 'token-theft' },
      ]);
      expect(page.seen).not.toBe(seen);
    });
  });
});

describe('a core that cannot rotate at once', () => {
  const core = () => remoteCore({ connectionURI: 'http://127.0.0.1:1' });
  const compile = async (options: object) =>
    Test.createTestingModule({ imports: [SessionCoreModule.forRoot({ core: core(), ...options })] })
      .setLogger(false as never)
      .compile();

  it('is not served as 5.6: where the options ask for it the start fails with what to do', async () => {
    const error: unknown = await compile({ versions: ['5.4', '5.6'] }).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(SessionConfigError);
    expect((error as SessionConfigError).problems).toEqual([
      { path: 'versions', message: expect.stringContaining('Serve 5.0 to 5.5') },
    ]);
    await expect(compile({})).resolves.toBeDefined();
  });
});
