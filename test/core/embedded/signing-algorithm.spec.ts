import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { compactVerify, importJWK } from 'jose';
import { create, decoded, kidOf, refreshed, verify } from '../../support/core-calls.js';
import { DYNAMIC_TEST_KID, embeddedCoreOn, seededMemoryStore } from '../../support/embedded.js';
import { legacyToken, V2_CLAIMS } from '../../fixtures/made-tokens.js';
import type { PublicJwk } from '../../../lib/util/verification-keys.js';
import type { EmbeddedCore } from '../../../lib/core/embedded/embedded-core.js';
import { MemoryStore } from '../../../lib/stores/memory.store.js';

const ES256 = { signingAlgorithm: 'ES256' } as const;
const JWT_INPUT = {
  validity: 60,
  useStaticSigningKey: true,
  payload: { a: 1 },
  jwksDomain: 'https://api.shop.io',
};

async function published(core: EmbeddedCore, kid: string): Promise<PublicJwk> {
  const key = (await core.getJwks()).keys.find((each) => each.kid === kid);
  if (key === undefined) throw new Error(`${kid} is not published`);
  return key;
}

async function kinds(core: EmbeddedCore): Promise<string[]> {
  return (await core.getJwks()).keys.map(({ kid, alg }) => `${kid.slice(0, 1)} ${alg}`);
}

describe('signing with ES256', () => {
  it('makes keys on P-256, and publishes their public members only (S014, S020)', async () => {
    const { core } = embeddedCoreOn(new MemoryStore(), ES256);
    await core.start();
    await create(core, { useDynamicSigningKey: false });
    const { keys } = await core.getJwks();
    expect(keys).toEqual(
      [/^d-\d+$/, /^s-[0-9a-f-]{36}$/].map((kid) => ({
        kty: 'EC',
        kid: expect.stringMatching(kid),
        crv: 'P-256',
        x: expect.stringMatching(/^[\w-]{43}$/),
        y: expect.stringMatching(/^[\w-]{43}$/),
        alg: 'ES256',
        use: 'sig',
      })),
    );
    await core.close();
  });

  it.each([true, false])(
    'makes tokens that any JOSE library verifies; rotating key: %p',
    async (useDynamicSigningKey) => {
      const { core } = embeddedCoreOn(new MemoryStore(), ES256);
      const { accessToken } = await create(core, { useDynamicSigningKey });
      const { header } = decoded(accessToken.token);
      expect(header).toMatchObject({ alg: 'ES256', typ: 'JWT', version: '5' });
      const jwk = await published(core, kidOf(accessToken.token));
      const { payload } = await compactVerify(accessToken.token, await importJWK({ ...jwk }, 'ES256'));
      expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ sub: 'user-1' });
      expect(await verify(core, accessToken.token)).toMatchObject({ status: 'OK' });
    },
  );

  it('carries a session through refresh, first use and change of the payload', async () => {
    const { core } = embeddedCoreOn(new MemoryStore(), ES256);
    const { refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token);
    const used = await verify(core, next.accessToken.token);
    const accessToken = used.status === 'OK' ? (used.accessToken?.token ?? '') : '';
    const changed = await core.regenerateAccessToken({ accessToken, userDataInJWT: { a: 1 } });
    const token = changed.status === 'OK' ? (changed.accessToken?.token ?? '') : '';
    expect(decoded(token)).toMatchObject({ header: { alg: 'ES256' }, payload: { a: 1 } });
    expect(await verify(core, token, { checkDatabase: true })).toMatchObject({ status: 'OK' });
  });

  it('refuses a token whose header was changed to RS256, and the other way round', async () => {
    const store = await seededMemoryStore();
    const [rsa, ec] = [embeddedCoreOn(store).core, embeddedCoreOn(store, ES256).core];
    for (const core of [rsa, ec]) {
      const { token } = (await create(core)).accessToken;
      const [, payload, signature] = token.split('.');
      const { header } = decoded(token);
      const alg = header['alg'] === 'ES256' ? 'RS256' : 'ES256';
      const swapped = Buffer.from(JSON.stringify({ ...header, alg })).toString('base64url');
      expect(await verify(core, `${swapped}.${payload}.${signature}`)).toMatchObject({
        status: 'TRY_REFRESH_TOKEN',
      });
    }
  });

  it('makes no RSA key until an application wants a JWT of its own, which stays RS256', async () => {
    const { core } = embeddedCoreOn(new MemoryStore(), ES256);
    await create(core);
    expect(await kinds(core)).toEqual(['d ES256', 's ES256']);
    const made = await core.createJwt({ ...JWT_INPUT, algorithm: 'RS256' });
    const jwt = made.status === 'OK' ? made.jwt : '';
    expect(decoded(jwt).header).toMatchObject({ alg: 'RS256', kid: expect.stringMatching(/^s-/) });
    const key = createPublicKey({ key: { ...(await published(core, kidOf(jwt))) }, format: 'jwk' });
    const end = jwt.lastIndexOf('.');
    const signature = Buffer.from(jwt.slice(end + 1), 'base64url');
    expect(verifySignature('sha256', Buffer.from(jwt.slice(0, end)), key, signature)).toBe(true);
    expect(kidOf((await create(core)).accessToken.token)).toMatch(/^d-/);
    expect(decoded((await create(core)).accessToken.token).header['alg']).toBe('ES256');
    expect(await core.createJwt({ ...JWT_INPUT, algorithm: 'ES256' })).toEqual({
      status: 'UNSUPPORTED_ALGORITHM_ERROR',
    });
  });

  it('exchanges a token of version 2, whose header is fixed, for one that RSA signed', async () => {
    const store = await seededMemoryStore();
    const { core } = embeddedCoreOn(store, ES256);
    const { session } = await create(core);
    const accessToken = legacyToken({ ...V2_CLAIMS, sessionHandle: session.handle });
    const changed = await core.regenerateAccessToken({ accessToken, userDataInJWT: { a: 1 } });
    const token = changed.status === 'OK' ? (changed.accessToken?.token ?? '') : '';
    expect(decoded(token).header).toEqual({ alg: 'RS256', typ: 'JWT', version: '2' });
    expect(await verify(core, token)).toMatchObject({ status: 'OK' });
  });
});

describe('the change from one algorithm to the other', () => {
  it.each([
    ['RS256', 'ES256'],
    ['ES256', 'RS256'],
  ] as const)(
    'from %s to %s: tokens of both kinds verify at both instances, and sessions go on',
    async (from, to) => {
      const store = new MemoryStore();
      const { core: before, clock } = embeddedCoreOn(store, { signingAlgorithm: from });
      await before.start();
      const old = await create(before);
      const { core: after } = embeddedCoreOn(store, { signingAlgorithm: to }, clock);
      await after.start();
      const young = await create(after);
      clock.advance(501); // strangers make the store be asked at most every half second
      expect([old, young].map(({ accessToken }) => decoded(accessToken.token).header['alg'])).toEqual([
        from,
        to,
      ]);
      expect(kidOf(old.accessToken.token)).not.toBe(kidOf(young.accessToken.token));
      for (const core of [before, after]) {
        for (const { accessToken } of [old, young]) {
          expect(await verify(core, accessToken.token)).toMatchObject({ status: 'OK' });
        }
      }
      const renewed = await refreshed(after, old.refreshToken.token);
      expect(decoded(renewed.accessToken.token).header['alg']).toBe(to);
      expect(await verify(before, renewed.accessToken.token)).toMatchObject({ status: 'OK' });
      await Promise.all([before.close(), after.close()]);
    },
  );

  it('surprises no copy of the JWKS where one instance runs with the new one before (S015)', async () => {
    const store = await seededMemoryStore();
    const times = { accessTokenDynamicSigningKeyUpdateIntervalSec: 3600 * 4 };
    const { core: old, clock } = embeddedCoreOn(store, times);
    const { core: first } = embeddedCoreOn(store, { ...times, ...ES256 }, clock);
    let copy = { kids: [] as string[], untilMs: 0 };
    const kidsOfCopy = async (): Promise<string[]> => {
      if (clock.now() < copy.untilMs) return copy.kids;
      const { keys, validityInSeconds } = await old.getJwks();
      copy = { kids: keys.map(({ kid }) => kid), untilMs: clock.now() + validityInSeconds * 1000 };
      return copy.kids;
    };
    await kidsOfCopy();
    await first.getJwks();
    const after = clock.now() + 3600 * 4000;
    for (let step = 0; step < 600; step++) {
      clock.advanceSeconds(60);
      await Promise.all([old.reloadSigningKeys(), first.reloadSigningKeys()]);
      const kids = await kidsOfCopy();
      if (clock.now() < after) continue;
      for (const useDynamicSigningKey of [true, false])
        expect(kids).toContain(kidOf((await create(first, { useDynamicSigningKey })).accessToken.token));
    }
  });

  it('leaves the key of before published until its last token has expired, then drops it (S015)', async () => {
    const store = await seededMemoryStore();
    const old = await create(embeddedCoreOn(store).core);
    const { core, clock } = embeddedCoreOn(store, ES256);
    const kids = async (): Promise<string[]> => (await core.getJwks()).keys.map(({ kid }) => kid);
    expect(await kids()).toContain(DYNAMIC_TEST_KID);
    expect(await verify(core, old.accessToken.token)).toMatchObject({ status: 'OK' });
    clock.advance(604_800_000 + 7_200_000);
    expect(await kids()).not.toContain(DYNAMIC_TEST_KID);
    expect(await kinds(core)).not.toContain('d RS256');
    expect(await verify(core, old.accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
  });

  it('ends in one key of each algorithm when 8 instances of both kinds start at one moment (S016)', async () => {
    const store = new MemoryStore();
    const engines = Array.from({ length: 8 }, (_, n) => embeddedCoreOn(store, n % 2 === 0 ? ES256 : {}));
    await Promise.all(
      engines.map(async ({ core }) => {
        await core.start();
        await create(core, { useDynamicSigningKey: false });
      }),
    );
    for (const { core } of engines) {
      await core.reloadSigningKeys();
      expect((await kinds(core)).toSorted()).toEqual(['d ES256', 'd RS256', 's ES256', 's RS256']);
      const { keys } = await core.getJwks();
      expect(new Set(keys.map(({ kid }) => kid)).size).toBe(4);
      await core.close();
    }
  });
});
