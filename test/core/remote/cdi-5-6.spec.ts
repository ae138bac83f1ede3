import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HttpCoreClient } from '../../../lib/core/remote/http-core-client.js';
import { CoreBadInputError, CoreResponseError, CoreUnavailableError } from '../../../lib/errors.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { create, CREATION, refresh, verify } from '../../support/core-calls.js';
import { operation } from '../../support/core-operations.js';
import {
  bodyOf,
  clientOf,
  content,
  FakeCore,
  GOOD_RESPONSES,
  hang,
  reset,
  sendJson,
  sendText,
  until,
  type Behaviour,
} from '../../support/fake-core.js';

// The rules of docs/protocol/core.md B9 as a client meets them on the wire.

const VERIFY = '/recipe/session/verify';
const REFRESH = '/recipe/session/refresh';
const REGENERATE = '/recipe/session/regenerate';
const NEW = { versions: ['4.0', '5.0', '5.4', '5.5', '5.6'] };
const OLD = { versions: ['4.0', '5.0', '5.4'] };
const CHANGED = { ...GOOD_RESPONSES.verified, payloadUpdateAvailable: true };

let core: FakeCore;
let other: FakeCore;
let client: HttpCoreClient | undefined;

beforeEach(async () => {
  [core, other] = [await FakeCore.start(), await FakeCore.start()];
  for (const each of [core, other]) each.on('/apiversion', sendJson(NEW));
});
afterEach(async () => {
  await client?.close();
  await Promise.all([core.kill(), other.kill()]);
});

function connect(
  options: Parameters<typeof clientOf>[1] = {},
  parts: Parameters<typeof clientOf>[2] & { cores?: readonly FakeCore[] } = {},
): HttpCoreClient {
  const { cores = [core], ...rest } = parts;
  client = clientOf(cores, options, rest);
  return client;
}

function bodies(path: string, of = core): unknown[] {
  return of.received.filter((request) => request.path === path).map(bodyOf);
}

function versions(of = core): unknown[] {
  return of.received.flatMap(({ headers }) => headers['cdi-version'] ?? []);
}

/** A core of one release: it does what it is asked in its versions, and refuses every other before it does anything. */
function speaks(offered: readonly string[]): Behaviour {
  return (response, request) => {
    const asked = String(request.headers['cdi-version']);
    const isSpoken = offered.includes(asked);
    (isSpoken ? content : sendText(400, `cdi-version ${asked} not supported\n`))(response, request);
  };
}

function becomes(of: FakeCore, release: { readonly versions: readonly string[] }): void {
  of.on('*', speaks(release.versions)).on('/apiversion', sendJson(release));
}

describe('the version that is agreed with a core', () => {
  it('is 5.6 where the core offers it', async () => {
    await operation('verifySession')(connect());
    expect(versions()).toEqual(['5.6']);
  });

  it.each([
    ['5.4', '5.4'],
    ['5.3', '5.0'],
    ['4.0', '4.0'],
  ] as const)('is at most %s where the application says so', async (newestCdiVersion, agreed) => {
    await operation('verifySession')(connect({ newestCdiVersion }));
    expect(versions()).toEqual([agreed]);
  });

  it('is one that both speak while two releases of the core respond by turns, and the best one again later', async () => {
    becomes(core, NEW);
    becomes(other, OLD);
    const clock = new TestClock();
    const remote = connect({}, { cores: [core, other], clock });
    for (let i = 0; i < 8; i++) {
      await expect(create(remote)).resolves.toBeDefined();
      await expect(refresh(remote, `r${i}`)).resolves.toMatchObject({ status: 'OK' });
    }
    expect(versions(other).filter((version) => version === '5.6').length).toBeLessThanOrEqual(1);
    becomes(other, NEW);
    clock.advance(60_000);
    for (const each of [core, other]) each.received.length = 0;
    for (let i = 0; i < 4; i++) await refresh(remote, `s${i}`);
    expect(new Set([...versions(core), ...versions(other)])).toEqual(new Set(['5.6']));
  });

  it('goes down with a core that is set back to an older release, and no call is lost', async () => {
    becomes(core, NEW);
    const remote = connect();
    await refresh(remote, 'r1');
    becomes(core, OLD);
    await expect(create(remote)).resolves.toBeDefined();
    await expect(refresh(remote, 'r2')).resolves.toMatchObject({ status: 'OK' });
    expect(versions()).toEqual(['5.6', '5.6', '5.4', '5.4']);
  });

  it('is asked for again when the core was gone in between, and not once for each refresh', async () => {
    const remote = connect();
    await core.kill();
    await expect(refresh(remote, 'r1')).rejects.toThrow(CoreUnavailableError);
    await core.start();
    for (let i = 0; i < 3; i++) await refresh(remote, 'r1');
    expect(core.received.filter(({ path }) => path === '/apiversion')).toHaveLength(1);
  });
});

describe('a call that needs the rule of older versions, at a core of CDI 5.6', () => {
  const lazily = { rotation: 'at-first-use' } as const;

  it('goes out in the best older version, and others in 5.6', async () => {
    becomes(core, NEW);
    const remote = connect();
    await refresh(remote, 'r1', lazily);
    await verify(remote, 'a1', lazily);
    await refresh(remote, 'r2');
    await verify(remote, 'a2');
    expect(versions()).toEqual(['5.4', '5.4', '5.6', '5.6']);
    expect(JSON.stringify(core.received)).not.toContain('rotation');
  });

  it('goes out in 5.6 where the core takes no other any more, and asks for the version once', async () => {
    const refusal: Behaviour = (response, request) => {
      const asked = String(request.headers['cdi-version']);
      const text = `cdi-version ${asked} is lower than the minimum allowed version 5.6\n`;
      (asked === '5.6' ? content : sendText(400, text))(response, request);
    };
    core.on('*', refusal).on('/apiversion', sendJson(NEW)); // which does not know of the limit
    const remote = connect();
    for (let i = 0; i < 3; i++)
      await expect(refresh(remote, `r${i}`, lazily)).resolves.toMatchObject({ status: 'OK' });
    expect(versions()).toEqual(['5.4', '5.6', '5.6', '5.6']);
    expect(core.received.filter(({ path }) => path === '/apiversion')).toHaveLength(2);
  });
});

describe('the life of one access token', () => {
  it('goes to a core of CDI 5.6 in milliseconds, and nothing goes without it', async () => {
    const remote = connect();
    await create(remote, { accessTokenValidityMs: 60_000 });
    await refresh(remote, 'r1', { accessTokenValidityMs: 90_000 });
    await create(remote);
    await refresh(remote, 'r2', { rotation: 'at-once' });
    expect(
      bodies('/public/recipe/session').map((body) => (body as object)['accessTokenValidity' as never]),
    ).toEqual([60_000, undefined]);
    expect(bodies(REFRESH)).toEqual([
      { refreshToken: 'r1', enableAntiCsrf: false, useDynamicSigningKey: true, accessTokenValidity: 90_000 },
      { refreshToken: 'r2', enableAntiCsrf: false, useDynamicSigningKey: true },
    ]);
    expect(JSON.stringify(core.received)).not.toContain('accessTokenValidityMs');
  });

  it.each([
    ['an older core', OLD, {}],
    ['a core that the application holds at an older version', NEW, { newestCdiVersion: '5.4' as const }],
  ])('is refused with the reason by %s, before anything is done', async (_what, offered, options) => {
    core.on('/apiversion', sendJson(offered));
    const remote = connect(options);
    const accessTokenValidityMs = 60_000;
    const limit = { max: 1, whenExceeded: 'end-oldest' } as const;
    for (const call of [
      async () => create(remote, { accessTokenValidityMs }),
      async () => refresh(remote, 'r1', { accessTokenValidityMs }),
      async () => remote.createSessionWithinLimit({ ...CREATION, accessTokenValidityMs }, limit, {}),
    ]) {
      const error: unknown = await call().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(CoreBadInputError);
      expect(String(error)).toMatch(
        /accessTokenValiditySec needs CDI 5\.6, and CDI 5\.4 is agreed.*newestCdiVersion/,
      );
    }
    expect(core.calls).toEqual([]);
    await expect(refresh(remote, 'r1')).resolves.toMatchObject({ status: 'OK' });
  });

  it('is not sent to an older core that has taken the place of one that took it', async () => {
    becomes(core, NEW);
    const remote = connect();
    await refresh(remote, 'r1', { accessTokenValidityMs: 60_000 });
    becomes(core, OLD);
    core.received.length = 0;
    await expect(refresh(remote, 'r2', { accessTokenValidityMs: 60_000 })).rejects.toThrow(CoreBadInputError);
    expect(versions()).toEqual(['5.6']);
  });
});

describe('verifying with a core of CDI 5.6', () => {
  it('hands out a token with the changed payload, by one more call', async () => {
    core.on(VERIFY, sendJson(CHANGED));
    const verified = await verify(connect(), 'a1', { checkDatabase: true });
    expect(verified).toEqual(GOOD_RESPONSES.regenerated);
    expect(bodies(REGENERATE)).toEqual([{ accessToken: 'a1' }]);
  });

  it.each([
    ['an equal payload', { ...GOOD_RESPONSES.verified, payloadUpdateAvailable: false }],
    ['no word about it', GOOD_RESPONSES.verified],
  ])('makes no more calls for %s', async (_what, response) => {
    core.on(VERIFY, sendJson(response));
    await expect(verify(connect(), 'a1', { checkDatabase: true })).resolves.toEqual(response);
    expect(core.calls).toEqual([`POST ${VERIFY}`]);
  });

  it('says that the session has ended, if it ends between the two calls', async () => {
    const ended = { status: 'UNAUTHORISED', message: 'Session does not exist.' };
    core.on(VERIFY, sendJson(CHANGED)).on(REGENERATE, sendJson(ended));
    await expect(verify(connect(), 'a1', { checkDatabase: true })).resolves.toEqual(ended);
  });

  it('asks for a refresh, if the token expires between the two calls', async () => {
    core.on(VERIFY, sendJson(CHANGED)).on(REGENERATE, sendJson({ ...GOOD_RESPONSES.verified }));
    await expect(verify(connect(), 'a1', { checkDatabase: true })).resolves.toEqual({
      status: 'TRY_REFRESH_TOKEN',
      message: 'Access token expired',
    });
  });

  it('fails where the changed payload cannot be had: the token alone is not enough to go on', async () => {
    core.on(VERIFY, sendJson(CHANGED)).on(REGENERATE, reset);
    await expect(verify(connect(), 'a1', { checkDatabase: true })).rejects.toThrow(CoreUnavailableError);
  });

  it('asks for a refresh with a token of a replaced branch, whose session goes on', async () => {
    const message = 'rotated-out token branch; refresh required';
    core.on(VERIFY, sendJson({ status: 'UNAUTHORISED', message }));
    await expect(verify(connect(), 'a1', { checkDatabase: true })).resolves.toEqual({
      status: 'TRY_REFRESH_TOKEN',
      message,
    });
  });
});

describe('a refresh token that came back to a core of CDI 5.6', () => {
  const session = { handle: 'h', userId: 'u', recipeUserId: 'u' };

  it.each(['RECENT_PREV', 'ORPHANED_BRANCH', 'STALE_LINEAGE'])(
    'is a theft, or its end alone, with %s',
    async (subtype) => {
      const theft = { status: 'TOKEN_THEFT_DETECTED', session, recentTokenReuseSubtype: subtype };
      const soft = { status: 'UNAUTHORISED', message: 'reused', recentTokenReuseSubtype: subtype };
      core.on(REFRESH, sendJson(theft), sendJson(soft));
      const remote = connect();
      await expect(refresh(remote, 'r1')).resolves.toEqual(theft);
      await expect(refresh(remote, 'r1')).resolves.toEqual(soft);
    },
  );

  it.each([['a later word'], [7], [null], [{}]])(
    'is a theft whatever else the core says: %j',
    async (subtype) => {
      const theft = { status: 'TOKEN_THEFT_DETECTED', session };
      core.on(REFRESH, sendJson({ ...theft, recentTokenReuseSubtype: subtype }));
      await expect(refresh(connect(), 'r1')).resolves.toEqual(theft);
    },
  );
});

describe('refreshes of one token at the same time', () => {
  /** Responds only after all have come that will come, each with another pair. */
  function respondsLate(): { readonly send: () => void; readonly waiting: () => number } {
    const held: (() => void)[] = [];
    let pairs = 0;
    core.on(REFRESH, (response, request) => {
      const refreshToken = { ...GOOD_RESPONSES.refreshed.refreshToken, token: `successor-${++pairs}` };
      held.push(() => sendJson({ ...GOOD_RESPONSES.refreshed, refreshToken })(response, request));
    });
    return { send: () => held.splice(0).forEach((response) => response()), waiting: () => held.length };
  }

  it('share one call, so that no client is left with a pair that the next one has killed', async () => {
    const remote = connect();
    await operation('getPrimaryUserId')(remote);
    const { send, waiting } = respondsLate();
    const calls = Array.from({ length: 20 }, async () => refresh(remote, 'r1'));
    await until(() => waiting() > 0);
    send();
    const results = await Promise.all(calls);
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(bodies(REFRESH)).toHaveLength(1);
    const again = refresh(remote, 'r1');
    await until(() => waiting() > 0);
    send();
    await expect(again).resolves.toMatchObject({ refreshToken: { token: 'successor-2' } });
  });

  it('share nothing with a caller who has another anti-CSRF token, nor with those of another token', async () => {
    const remote = connect();
    await operation('getPrimaryUserId')(remote);
    const { send, waiting } = respondsLate();
    const calls = [
      refresh(remote, 'r1', { enableAntiCsrf: true, antiCsrfToken: 'a' }),
      refresh(remote, 'r1', { enableAntiCsrf: true, antiCsrfToken: 'b' }),
      refresh(remote, 'r1', { enableAntiCsrf: true }),
      refresh(remote, 'r1'),
      refresh(remote, 'r1', { accessTokenValidityMs: 1000 }),
      refresh(remote, 'r2'),
    ];
    await until(() => waiting() === calls.length);
    send();
    expect(new Set(await Promise.all(calls)).size).toBe(calls.length);
  });

  it('share no refusal: the others are told what is true after it', async () => {
    const gone = { status: 'UNAUTHORISED', message: 'Session missing in db or has expired' };
    const session = { handle: 'h', userId: 'u', recipeUserId: 'u' };
    const theft = { status: 'TOKEN_THEFT_DETECTED', session, recentTokenReuseSubtype: 'ORPHANED_BRANCH' };
    core.on(REFRESH, sendJson(theft), sendJson(gone));
    const remote = connect();
    const results = await Promise.all([1, 2, 3].map(async () => refresh(remote, 'r1')));
    expect(results).toEqual([theft, gone, gone]);
  });

  it('share an outage, and the next call is a new one', async () => {
    const remote = connect();
    await operation('getPrimaryUserId')(remote);
    core.on(REFRESH, sendText(503, 'Service Unavailable'));
    const outcomes = await Promise.allSettled([1, 2, 3].map(async () => refresh(remote, 'r1')));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(bodies(REFRESH)).toHaveLength(1);
    core.on(REFRESH, content);
    await expect(refresh(remote, 'r1')).resolves.toMatchObject({ status: 'OK' });
  });

  it('are calls of their own up to CDI 5.5, where none kills another', async () => {
    const remote = connect({ newestCdiVersion: '5.4' });
    await operation('getPrimaryUserId')(remote);
    const { send, waiting } = respondsLate();
    const calls = [refresh(remote, 'r1'), refresh(remote, 'r1')];
    await until(() => waiting() === 2);
    send();
    await Promise.all(calls);
    expect(bodies(REFRESH)).toHaveLength(2);
  });
});

describe('a refresh whose response does not come', () => {
  const both = { requestTimeoutMs: 150 };

  it('is not sent to the next host while the first may still be at work: its successor would be killed', async () => {
    const remote = connect(both, { cores: [core, other] });
    await operation('getPrimaryUserId')(remote);
    for (const each of [core, other]) each.on(REFRESH, hang);
    await expect(refresh(remote, 'r1')).rejects.toThrow(CoreUnavailableError);
    expect(bodies(REFRESH, core).length + bodies(REFRESH, other).length).toBe(1);
  });

  it.each([
    ['cuts the connection', reset],
    ['is a gateway without a core', sendText(502, 'Bad Gateway')],
    ['has no store', sendText(503, 'Service Unavailable')],
  ])(
    'goes to the next host at once where the first %s, inside the grace period',
    async (_what, behaviour) => {
      const remote = connect(both, { cores: [core, other] });
      await operation('getPrimaryUserId')(remote);
      core.on(REFRESH, behaviour);
      for (let i = 0; i < 2; i++)
        await expect(refresh(remote, `r${i}`)).resolves.toMatchObject({ status: 'OK' });
    },
  );

  it('is not sent again where a gateway gave up waiting', async () => {
    const remote = connect(both, { cores: [core, other] });
    await operation('getPrimaryUserId')(remote);
    for (const each of [core, other]) each.on(REFRESH, sendText(504, 'Gateway Timeout'));
    await expect(refresh(remote, 'r1')).rejects.toThrow(CoreUnavailableError);
    expect(bodies(REFRESH, core).length + bodies(REFRESH, other).length).toBe(1);
  });

  it('is sent again in any case up to CDI 5.5, where a repeat changes nothing', async () => {
    const remote = connect({ ...both, newestCdiVersion: '5.4' }, { cores: [core, other] });
    await operation('getPrimaryUserId')(remote);
    core.on(REFRESH, sendText(504, 'Gateway Timeout'));
    for (let i = 0; i < 2; i++)
      await expect(refresh(remote, `r${i}`)).resolves.toMatchObject({ status: 'OK' });
  });
});

describe('a core that offers CDI 5.6 and responds otherwise', () => {
  it.each([
    [
      'a payload update that is no flag',
      VERIFY,
      { ...GOOD_RESPONSES.verified, payloadUpdateAvailable: 'yes' },
    ],
    ['a theft without a session', REFRESH, { status: 'TOKEN_THEFT_DETECTED' }],
    ['a refresh without tokens', REFRESH, { status: 'OK', session: GOOD_RESPONSES.verified.session }],
    ['a status of its own', REFRESH, { status: 'ROTATED' }],
  ])('is an error of the core and no end of a session: %s', async (_what, path, response) => {
    core.on(path, sendJson(response));
    const remote = connect();
    const call = path === VERIFY ? verify(remote, 'a1', { checkDatabase: true }) : refresh(remote, 'r1');
    await expect(call).rejects.toThrow(CoreResponseError);
  });
});
