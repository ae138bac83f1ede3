import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { FOREIGN_TEST_KEY } from '../../fixtures/signing-keys.js';
import { create, decoded, refresh, refreshed, verify } from '../../support/core-calls.js';
import {
  DYNAMIC_TEST_KEY_CREATED_AT_MS,
  DYNAMIC_TEST_KID,
  embeddedCoreOn,
  makeEmbeddedCore,
  rowOf,
  seededMemoryStore,
  STATIC_TEST_KID,
  TEST_START_MS,
  type TestCore,
} from '../../support/embedded.js';
import type { EmbeddedCoreOptions } from '../../../lib/core/embedded/embedded-core-config.js';
import { withNewKeys } from '../../support/rsa-keys.js';
import { jwt, rs256, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { newStoredKeyPair } from '../../../lib/tokens/key-pairs.js';
import { SigningKeys } from '../../../lib/core/embedded/signing-keys.js';
import { MemoryStore } from '../../../lib/stores/memory.store.js';

const EC_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ format: 'der', type: 'spki' })
  .toString('base64');
type EngineOptions = Omit<EmbeddedCoreOptions, 'store'>;

const HOUR_MS = 3_600_000;
const kidOf = (token: string): unknown => decoded(token).header['kid'];
const kidsOf = async ({ core }: Pick<TestCore, 'core'>): Promise<string[]> =>
  (await core.getJwks()).keys.map(({ kid }) => kid);
const mintedKid = async ({ core }: TestCore): Promise<unknown> =>
  kidOf((await create(core)).accessToken.token);

/** Keys of a chosen age: they sign for ten hours, tokens live for one. */
async function keysOf(
  ages: Record<string, number>,
): Promise<{ keys: SigningKeys; clock: TestClock; store: MemoryStore }> {
  const store = await seededMemoryStore();
  await store.deleteDynamicKeys(TEST_START_MS);
  const created = Object.values(ages).map((ageMs) => TEST_START_MS - ageMs);
  for (const createdAtMs of created) {
    await store.addDynamicKey({ createdAtMs, value: FOREIGN_TEST_KEY }, Number.POSITIVE_INFINITY);
  }
  const clock = new TestClock(TEST_START_MS);
  const keys = new SigningKeys(store, clock, {
    algorithm: 'RS256',
    updateIntervalMs: 10 * HOUR_MS,
    accessTokenValidityMs: HOUR_MS,
    reloadIntervalMs: 60_000,
  });
  return { keys, clock, store };
}

describe('the key set of a new installation', () => {
  it('is one rotating key and one static key, each made once for all that start together (C130, S016)', async () => {
    const store = new MemoryStore();
    const engines = Array.from({ length: 4 }, () => embeddedCoreOn(store));
    await Promise.all(engines.map(({ core }) => core.start()));
    const [kids, ...others] = await Promise.all(engines.map(kidsOf));
    expect(kids).toEqual([`d-${TEST_START_MS}`, expect.stringMatching(/^s-[0-9a-f-]{36}$/)]);
    expect(others).toEqual([kids, kids, kids]);
    await Promise.all(engines.map(({ core }) => core.close()));
  });

  it('has the static key that was first to sign, whichever instance was asked (S016, S018)', async () => {
    const store = new MemoryStore();
    const engines = Array.from({ length: 4 }, () => embeddedCoreOn(store));
    const made = await Promise.all(engines.map(({ core }) => create(core, { useDynamicSigningKey: false })));
    const staticKid = kidOf(made[0]?.accessToken.token ?? '');
    expect(staticKid).toMatch(/^s-/);
    for (const { core, clock } of engines) {
      clock.advance(501);
      for (const { accessToken } of made) {
        expect(kidOf(accessToken.token)).toBe(staticKid);
        expect(await verify(core, accessToken.token)).toMatchObject({ status: 'OK' });
      }
      expect(await kidsOf({ core })).toEqual([`d-${TEST_START_MS}`, staticKid]);
    }
    await Promise.all(engines.map(({ core }) => core.close()));
  });

  it('leaves alone what a later release on the same store signs with (S018)', async () => {
    const { keys, clock, store } = await keysOf({ mine: HOUR_MS });
    await store.addDynamicKey(
      { createdAtMs: clock.now() - 1, value: 'not|ours', algorithm: 'ES384' },
      clock.now(),
    );
    await keys.reload();
    const mine = `d-${TEST_START_MS - HOUR_MS}`;
    expect((await keys.jwks()).keys.map(({ kid }) => kid)).toEqual([mine, STATIC_TEST_KID]);
    expect((await keys.signingKey('dynamic')).kid).toBe(mine);
  });

  it('has RSA keys of 2048 bits, each another (S014)', async () => {
    const [one, other] = await withNewKeys(async () =>
      Promise.all([newStoredKeyPair('RS256'), newStoredKeyPair('RS256')]),
    );
    const [publicDer = ''] = one.split('|');
    const key = createPublicKey({ key: Buffer.from(publicDer, 'base64'), format: 'der', type: 'spki' });
    expect(key.asymmetricKeyType).toBe('rsa');
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(other).not.toBe(one);
  });

  it('publishes public members only, and the keys that sign (S020, C138)', async () => {
    const engine = await makeEmbeddedCore();
    const { keys } = await engine.core.getJwks();
    expect(keys.map((key) => Object.keys(key).sort())).toEqual(
      keys.map(() => ['alg', 'e', 'kid', 'kty', 'n', 'use']),
    );
    const kids = await kidsOf(engine);
    expect(kids).toContain(await mintedKid(engine));
    expect(kids).toContain(
      kidOf((await create(engine.core, { useDynamicSigningKey: false })).accessToken.token),
    );
  });

  it('reads keys that an old Core stored with a semicolon', async () => {
    const store = new MemoryStore();
    await store.addStaticKey({
      kid: STATIC_TEST_KID,
      createdAtMs: 1,
      value: FOREIGN_TEST_KEY.replace('|', ';'),
      algorithm: 'RS256',
    });
    await store.addDynamicKey({ createdAtMs: DYNAMIC_TEST_KEY_CREATED_AT_MS, value: FOREIGN_TEST_KEY }, 0);
    expect(await kidsOf(embeddedCoreOn(store))).toEqual([DYNAMIC_TEST_KID, STATIC_TEST_KID]);
  });

  it.each([
    ['nothing', ''],
    ['text', 'no key'],
    ['no DER', 'AAAA|AAAA'],
    ['a key of another kind', `${EC_KEY}|${EC_KEY}`],
  ])('names a stored key that cannot be used (%s), without its text (S020)', async (_, value) => {
    const store = new MemoryStore();
    await store.addDynamicKey({ createdAtMs: DYNAMIC_TEST_KEY_CREATED_AT_MS, value }, 0);
    const keys = { kid: STATIC_TEST_KID, createdAtMs: 1, value: FOREIGN_TEST_KEY, algorithm: 'RS256' };
    await store.addStaticKey(keys);
    await expect(embeddedCoreOn(store).core.getJwks()).rejects.toThrow(
      /^The stored signing key d-1759990000000 cannot be used$/,
    );
  });
});

describe('the rotation of keys', () => {
  it('publishes a key a minute before it signs: at 0, an hour less a minute, an hour (C131)', async () => {
    const store = await seededMemoryStore();
    await store.deleteDynamicKeys(TEST_START_MS);
    await store.addDynamicKey({ createdAtMs: TEST_START_MS, value: FOREIGN_TEST_KEY }, 0);
    const engine = embeddedCoreOn(store, { accessTokenDynamicSigningKeyUpdateIntervalSec: 3600 });
    const old = `d-${TEST_START_MS}`;

    expect(await kidsOf(engine)).toEqual([old, STATIC_TEST_KID]);
    expect(await mintedKid(engine)).toBe(old);

    engine.clock.advance(HOUR_MS - 60_000);
    expect(await kidsOf(engine)).toEqual([old, STATIC_TEST_KID]);
    engine.clock.advance(1);
    const successor = `d-${engine.clock.now()}`;
    expect(await mintedKid(engine)).toBe(old);
    expect(await kidsOf(engine)).toEqual([successor, old, STATIC_TEST_KID]);

    engine.clock.advance(59_998);
    expect(await mintedKid(engine)).toBe(old);
    engine.clock.advance(1);
    expect(await mintedKid(engine)).toBe(successor);
    expect(await kidsOf(engine)).toEqual([successor, old, STATIC_TEST_KID]);
  });

  it('changes the key of a dynamic session and never that of a static one (C132)', async () => {
    const { core, clock } = await makeEmbeddedCore({ accessTokenDynamicSigningKeyUpdateIntervalSec: 14_400 });
    const dynamic = await create(core);
    const fixed = await create(core, { useDynamicSigningKey: false });
    clock.advanceSeconds(7200);
    const one = await refreshed(core, dynamic.refreshToken.token);
    const other = await refreshed(core, fixed.refreshToken.token, { useDynamicSigningKey: false });
    expect(kidOf(one.accessToken.token)).not.toBe(kidOf(dynamic.accessToken.token));
    expect(kidOf(other.accessToken.token)).toBe(kidOf(fixed.accessToken.token));
  });

  it('never refuses a token that has not expired, over ten rotations (S015, C133)', async () => {
    const { core, clock, store } = await makeEmbeddedCore({
      accessTokenDynamicSigningKeyUpdateIntervalSec: 14_400,
      accessTokenValiditySec: 3600,
    });
    const kids = new Set<unknown>();
    const live: { token: string; expiry: number }[] = [];
    let { refreshToken } = await create(core);
    for (let quarter = 0; quarter < 4 * 42; quarter++) {
      clock.advanceSeconds(900);
      const next = await refreshed(core, refreshToken.token);
      ({ refreshToken } = next);
      live.push(next.accessToken);
      kids.add(kidOf(next.accessToken.token));
      while ((live[0]?.expiry ?? Infinity) < clock.now()) live.shift();
      for (const { token } of live) expect(await verify(core, token)).toMatchObject({ status: 'OK' });
      if (quarter % 20 === 0) await core.sweepExpired();
    }
    expect(kids.size).toBeGreaterThanOrEqual(10);
    expect((await store.findDynamicKeys(0)).length).toBeLessThan(kids.size);
  });

  it('knows a key that another instance has added at once, in the JWKS and when verifying (C134)', async () => {
    const { core, clock, store } = await makeEmbeddedCore();
    await core.start();
    clock.advanceSeconds(1);
    const createdAtMs = clock.now();
    await store.addDynamicKey({ createdAtMs, value: FOREIGN_TEST_KEY }, Number.POSITIVE_INFINITY);
    const token = jwt({ ...V5_HEADER, kid: `d-${createdAtMs}` }, V5_CLAIMS, (text) =>
      rs256(text, FOREIGN_TEST_KEY),
    );
    expect(await verify(core, token)).toMatchObject({ status: 'OK' });

    clock.advanceSeconds(1);
    await store.addDynamicKey(
      { createdAtMs: clock.now(), value: FOREIGN_TEST_KEY },
      Number.POSITIVE_INFINITY,
    );
    expect((await core.getJwks()).keys[0]?.kid).toBe(`d-${clock.now()}`);
    await core.close();
  });

  it('lists rotating keys newest first (C136)', async () => {
    const { keys } = await keysOf({ old: 5 * HOUR_MS, young: 60_000, middle: 2 * HOUR_MS });
    const kids = (await keys.jwks()).keys.map(({ kid }) => kid);
    expect(kids.slice(0, 3)).toEqual(
      [60_000, 2 * HOUR_MS, 5 * HOUR_MS].map((ageMs) => `d-${TEST_START_MS - ageMs}`),
    );
  });

  it('survives thousands of verifications during a rotation (C137)', async () => {
    const { core, clock } = await makeEmbeddedCore({ accessTokenDynamicSigningKeyUpdateIntervalSec: 13_600 });
    const { accessToken } = await create(core);
    clock.advanceSeconds(3550);
    const results = await Promise.all(
      Array.from({ length: 2000 }, (_, n) =>
        n % 100 === 0 ? kidsOf({ core }) : verify(core, accessToken.token),
      ),
    );
    for (const result of results)
      expect(Array.isArray(result) || result.status).not.toBe('TRY_REFRESH_TOKEN');
    const { keys } = await core.getJwks();
    expect(keys.filter(({ kid }) => kid.startsWith('d-'))).toHaveLength(2);
  });

  it.each<[ageMs: number, signs: boolean, published: boolean]>([
    [10 * HOUR_MS - 60_000, true, true],
    [10 * HOUR_MS - 1, true, true],
    [10 * HOUR_MS, false, true],
    [12 * HOUR_MS, false, true],
    [12 * HOUR_MS + 1, false, false],
  ])(
    'a key %d ms old, with a successor that is just made: signs %p, published %p',
    async (ageMs, signs, published) => {
      const { keys } = await keysOf({ old: ageMs });
      const kid = `d-${TEST_START_MS - ageMs}`;
      expect((await keys.signingKey('dynamic')).kid === kid).toBe(signs);
      expect((await keys.find(kid)).length).toBe(published ? 1 : 0);
    },
  );

  it('says how long the JWKS may be cached: until the next key is due (C143)', async () => {
    const store = new MemoryStore();
    const clock = new TestClock(TEST_START_MS);
    const { core } = embeddedCoreOn(store, { accessTokenDynamicSigningKeyUpdateIntervalSec: 3600 }, clock);
    expect((await core.getJwks()).validityInSeconds).toBe(3540);
    clock.advanceSeconds(2);
    expect((await core.getJwks()).validityInSeconds).toBe(3538);
    clock.advanceSeconds(3538);
    expect((await core.getJwks()).validityInSeconds).toBe(1);
  });
});

describe('a walk over three lives of a key', () => {
  /** Instances that read the keys again at the interval, each at a moment of its own, and clocks that differ. */
  async function instancesOf({
    reloadSec,
    skewsSec = [0, 0, 0],
    signingAlgorithm = 'ES256',
  }: {
    reloadSec: number;
    skewsSec?: number[];
    signingAlgorithm?: 'ES256' | 'RS256';
  }) {
    const store = new MemoryStore();
    const updateSec = Math.max(3600, 3 * reloadSec);
    const engines = skewsSec.map((skewSec) =>
      embeddedCoreOn(
        store,
        {
          signingAlgorithm,
          signingKeyReloadIntervalSec: reloadSec,
          accessTokenDynamicSigningKeyUpdateIntervalSec: updateSec,
        },
        new TestClock(TEST_START_MS + skewSec * 1000),
      ),
    );
    for (const { core } of engines) await core.reloadSigningKeys();
    const stepSec = reloadSec / 6;
    let step = 0;
    const isReadingAgain = (index: number): boolean => (step - index * 2) % 6 === 0;
    /** Time passes; what each instance signs with afterwards. */
    const next = async (): Promise<string[]> => {
      step++;
      for (const [index, { core, clock }] of engines.entries()) {
        clock.advanceSeconds(stepSec);
        if (isReadingAgain(index)) await core.reloadSigningKeys();
      }
      return Promise.all(engines.map(async ({ core }) => (await create(core)).accessToken.token));
    };
    return { engines, next, steps: (3.2 * updateSec) / stepSec };
  }

  const JWT_INPUT = { payload: {}, validity: 60, algorithm: 'RS256', jwksDomain: 'https://api.shop.io' };
  /** A JWT of the application's own, from the one instance that makes such: what signed it. */
  async function kidOfOwnJwt([first]: TestCore[], useStaticSigningKey = false): Promise<string[]> {
    const made = await first?.core.createJwt({ ...JWT_INPUT, useStaticSigningKey });
    return [String(kidOf(made?.status === 'OK' ? made.jwt : ''))];
  }

  it.each([
    [180, 'RS256'],
    [180, 'ES256'],
    [600, 'ES256'],
    [3000, 'ES256'],
  ] as const)(
    'signs with nothing that another instance, or a copy of the JWKS that may be kept, does not know yet, JWTs of the application included; keys are read every %d s, access tokens signed with %s (S015)',
    async (reloadSec, signingAlgorithm) => {
      const { engines, next, steps } = await instancesOf({ reloadSec, signingAlgorithm });
      for (const isStatic of [true, false]) await kidOfOwnJwt(engines, isStatic);
      const copies = engines.map(() => ({ kids: [] as string[], untilMs: 0 }));
      const used = new Set<string>();
      for (let step = 0; step < steps; step++) {
        const tokens = await next();
        const kids = [...tokens.map((token) => String(kidOf(token))), ...(await kidOfOwnJwt(engines))];
        for (const [index, { core, clock }] of engines.entries()) {
          let copy = copies[index];
          if (copy === undefined || clock.now() >= copy.untilMs) {
            const { keys, validityInSeconds } = await core.getJwks();
            copy = { kids: keys.map(({ kid }) => kid), untilMs: clock.now() + validityInSeconds * 1000 };
            copies[index] = copy;
          }
          for (const kid of kids) {
            used.add(kid);
            expect(copy.kids).toContain(kid);
            expect(core.verificationKeys.find(kid)).toMatchObject([{ kid }]); // without a promise
          }
        }
      }
      expect(used.size).toBeGreaterThanOrEqual(signingAlgorithm === 'RS256' ? 3 : 6);
    },
  );

  it.each([
    [180, [0, 90, -90]],
    [180, [0, 1800, -1800]],
    [600, [0, 300, -300]],
    [3000, [0, 1800, -1800]],
  ])(
    'has every token proven by every instance, with keys read every %d s and clocks that differ by %j s (S015)',
    async (reloadSec, skewsSec) => {
      const { engines, next, steps } = await instancesOf({ reloadSec, skewsSec });
      const used = new Set<unknown>();
      for (let step = 0; step < steps; step++) {
        for (const token of await next()) {
          used.add(kidOf(token));
          for (const { core } of engines)
            expect(await core.verificationKeys.find(String(kidOf(token)))).toHaveLength(1);
        }
      }
      expect(used.size).toBeGreaterThanOrEqual(3);
    },
  );
});

describe('the key of an application’s own JWT, beside access tokens that ES256 signs', () => {
  const RELOAD_SEC = 600;
  const UPDATE_SEC = 36_000;
  async function jwksSec({ core }: TestCore): Promise<number> {
    return (await core.getJwks()).validityInSeconds;
  }
  async function jwtKid({ core }: TestCore, useStaticSigningKey: boolean): Promise<string> {
    const input = { payload: {}, validity: 60, algorithm: 'RS256', jwksDomain: 'https://api.shop.io' };
    const made = await core.createJwt({ ...input, useStaticSigningKey });
    return String(kidOf(made.status === 'OK' ? made.jwt : ''));
  }
  const instanceOn = (store: MemoryStore, clock?: TestClock): TestCore =>
    embeddedCoreOn(
      store,
      {
        signingAlgorithm: 'ES256',
        signingKeyReloadIntervalSec: RELOAD_SEC,
        accessTokenDynamicSigningKeyUpdateIntervalSec: UPDATE_SEC,
      },
      clock,
    );

  it('is unknown to a copy of the JWKS for as long as one interval of reading, at most (S015)', async () => {
    const store = new MemoryStore();
    const instance = instanceOn(store);
    expect(await jwksSec(instance)).toBe(RELOAD_SEC);
    for (const [useStaticKey, thenSec] of [
      [false, RELOAD_SEC],
      [true, UPDATE_SEC - RELOAD_SEC - 1],
    ] as const) {
      await jwtKid(instance, useStaticKey);
      instance.clock.advance(500);
      expect(await jwksSec(instance)).toBe(thenSec);
    }
    // Of its successor another instance tells in time, one which makes no such JWT itself.
    const other = instanceOn(store, instance.clock);
    instance.clock.advanceSeconds(UPDATE_SEC / 2);
    expect(await jwksSec(other)).toBe(UPDATE_SEC / 2 - RELOAD_SEC - 1);
  });

  it('signs no longer than others do, also where it was made before a restart (S015)', async () => {
    const store = new MemoryStore();
    const before = instanceOn(store);
    const kid = await jwtKid(before, false);
    before.clock.advanceSeconds(UPDATE_SEC - 1);
    const after = instanceOn(store, before.clock);
    await after.core.start();
    expect(await jwksSec(after)).toBe(RELOAD_SEC);
    after.clock.advanceSeconds(2);
    expect(await jwtKid(after, false)).not.toBe(kid);
    await after.core.close();
  });
});

describe('cleaning keys', () => {
  it('removes those whose last token has long expired, and no other (C135)', async () => {
    const ages = {
      older: 12 * HOUR_MS + 1,
      exactly: 12 * HOUR_MS,
      late: 11 * HOUR_MS,
      due: 10 * HOUR_MS,
      now: 0,
    };
    const { keys, store, clock } = await keysOf(ages);
    await keys.deleteExpired();
    expect(await store.findDynamicKeys(0)).toHaveLength(4);
    // At its very end a key is still published; a millisecond later it is gone.
    clock.advance(1);
    await keys.deleteExpired();
    expect((await store.findDynamicKeys(0)).map(({ createdAtMs }) => TEST_START_MS - createdAtMs)).toEqual([
      ages.now,
      ages.due,
      ages.late,
    ]);
  });

  it('tells caches that a key has left, by time or by removal, and only then (S012)', async () => {
    const { keys, clock, store } = await keysOf({ old: 11 * HOUR_MS, young: HOUR_MS });
    await keys.reload();
    const before = keys.generation;
    await keys.reload();
    clock.advance(HOUR_MS);
    expect(keys.generation).toBe(before);
    clock.advance(1);
    const later = keys.generation;
    expect(later).toBeGreaterThan(before);
    await store.deleteDynamicKeys(TEST_START_MS + 1);
    await keys.reload();
    expect(keys.generation).toBeGreaterThan(later);
  });
});

describe('a store that is asked for keys', () => {
  it('is asked once per half second for 10,000 unknown key ids (S018)', async () => {
    const { keys, store, clock } = await keysOf({ young: HOUR_MS });
    await keys.reload();
    let asked = 0;
    const find = store.findDynamicKeys.bind(store);
    store.findDynamicKeys = (sinceMs) => {
      asked++;
      return find(sinceMs);
    };
    for (let n = 0; n < 10_000; n++) {
      clock.advance(n % 10 === 0 ? 1 : 0);
      expect(await keys.find(`d-${n}`)).toEqual([]);
    }
    expect(asked).toBe(2);
  });

  it('is asked once by 1,000 verifications that start together (S017)', async () => {
    const { keys, store } = await keysOf({ young: HOUR_MS });
    let asked = 0;
    const find = store.findDynamicKeys.bind(store);
    store.findDynamicKeys = (sinceMs) => {
      asked++;
      return find(sinceMs);
    };
    await Promise.all(Array.from({ length: 1000 }, async () => keys.find(STATIC_TEST_KID)));
    expect(asked).toBe(1);
  });

  it('may be gone: known keys keep verifying, also when a successor is due (S017 S096)', async () => {
    const { core, store, clock } = await makeEmbeddedCore({
      accessTokenDynamicSigningKeyUpdateIntervalSec: 14_400,
    });
    clock.advanceSeconds(3000);
    const { session, accessToken } = await create(core);
    store.findDynamicKeys = () => Promise.reject(new Error('gone'));
    clock.advanceSeconds(3000);
    expect(await verify(core, accessToken.token)).toEqual({ status: 'OK', session });
    clock.advanceSeconds(1);
    expect((await core.getJwks()).keys.map(({ kid }) => kid)).toEqual([DYNAMIC_TEST_KID, STATIC_TEST_KID]);
    await expect(create(core)).rejects.toMatchObject({ name: 'CoreUnavailableError' });
  });
});

describe('a clock that was wrong', () => {
  const DAY_MS = 24 * HOUR_MS;

  /** An instance that works on a store for a minute, with a clock that is so much ahead. */
  async function visit(store: MemoryStore, aheadMs: number, options: EngineOptions = {}): Promise<TestCore> {
    const wrong = embeddedCoreOn(store, options, new TestClock(TEST_START_MS + aheadMs));
    await wrong.core.start();
    await create(wrong.core);
    await wrong.core.sweepExpired();
    await wrong.core.close();
    return wrong;
  }

  it.each<[what: string, aheadMs: number, options: EngineOptions]>([
    ['400 days ahead', 400 * DAY_MS, {}],
    ['8 days ahead', 8 * DAY_MS, {}],
    ['400 days behind', -400 * DAY_MS, {}],
    ['400 days ahead, with ES256', 400 * DAY_MS, { signingAlgorithm: 'ES256' }],
  ])(
    '%s does not stop the rotation, and makes no JWKS valid for longer (S015)',
    async (_, aheadMs, options) => {
      const store = await seededMemoryStore();
      const right = embeddedCoreOn(store, options);
      const { session, accessToken, refreshToken } = await create(right.core);
      const wrong = await visit(store, aheadMs, options);
      await right.core.reloadSigningKeys();
      expect(await verify(right.core, accessToken.token, { checkDatabase: true })).toMatchObject({
        status: 'OK',
      });
      const other = embeddedCoreOn(store, options, right.clock);
      wrong.clock.set(TEST_START_MS); // its clock was put right, and it goes on with the keys that it knows
      const kids = new Set<unknown>();
      let token = refreshToken.token;
      for (let day = 0; day < 30; day++) {
        right.clock.advance(DAY_MS);
        wrong.clock.advance(DAY_MS);
        for (const { core } of [right, other]) {
          const next = await refreshed(core, token);
          token = next.refreshToken.token;
          kids.add(kidOf(next.accessToken.token));
          expect(await verify(right.core, next.accessToken.token)).toMatchObject({ status: 'OK' });
        }
        const { keys, validityInSeconds } = await right.core.getJwks();
        expect(validityInSeconds).toBeLessThanOrEqual(7 * 24 * 3600);
        const madeAtMs = keys
          .filter(({ kid }) => kid.startsWith('d-'))
          .map(({ kid }) => Number(kid.slice(2)));
        expect(Math.max(...madeAtMs)).toBeLessThanOrEqual(right.clock.now() + 2 * HOUR_MS);
      }
      expect(kids.size).toBeGreaterThanOrEqual(4);
      expect(await right.core.getSessionInformation(session.handle)).toBeDefined();
    },
  );

  it('of the first instance of all stops nothing either: the next one makes a key of its own (S015, S016)', async () => {
    const store = new MemoryStore();
    const wrong = await visit(store, 400 * DAY_MS);
    const [one, two] = [embeddedCoreOn(store), embeddedCoreOn(store)];
    await Promise.all([one.core.start(), two.core.start()]);
    expect(await mintedKid(one)).toBe(`d-${TEST_START_MS}`);
    expect(await mintedKid(two)).toBe(`d-${TEST_START_MS}`);
    wrong.clock.set(TEST_START_MS + 1000);
    await wrong.core.start();
    expect(await mintedKid(wrong)).toBe(`d-${TEST_START_MS}`);
    await Promise.all([one, two, wrong].map(({ core }) => core.close()));
  });

  it('tokens of that time are refreshed, not believed until then', async () => {
    const store = await seededMemoryStore();
    const wrong = embeddedCoreOn(store, {}, new TestClock(TEST_START_MS + 400 * DAY_MS));
    const { accessToken, refreshToken } = await create(wrong.core);
    const { core } = embeddedCoreOn(store);
    expect(await verify(core, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    expect(await refresh(core, refreshToken.token)).toMatchObject({ status: 'OK' });
  });

  it('deletes nothing while all keys but its own are old: in the first day of the process (S057)', async () => {
    const store = await seededMemoryStore();
    const { session } = await create(embeddedCoreOn(store).core);
    const returned = embeddedCoreOn(store, {}, new TestClock(TEST_START_MS + 200 * DAY_MS));
    await returned.core.start();
    await returned.core.sweepExpired();
    expect(await rowOf(store, session.handle)).toBeDefined();
    expect((await store.findDynamicKeys(0)).map(({ createdAtMs }) => createdAtMs)).toContain(
      DYNAMIC_TEST_KEY_CREATED_AT_MS,
    );
    returned.clock.advance(DAY_MS);
    await returned.core.sweepExpired();
    expect(store.size).toBe(0);
    await returned.core.close();
  });
});
