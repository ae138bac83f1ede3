import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StoreSetupError, type SessionStore } from '../../lib/stores/session-store.js';
import { create, refreshed, replacementOf, verify } from '../support/core-calls.js';
import { embeddedCoreOn, seedSigningKeys, type TestCore } from '../support/embedded.js';
import { interceptedStore } from '../support/intercepted-store.js';
import { unsealedTexts, OTHER_SECRET, SECRET, storedTexts } from '../support/sealed-keys.js';

/**
 * Keys that are sealed in a store, whichever it is.
 *
 * @param makeStore an empty store; it is closed after each test
 */
export function describeSealedKeysOn(name: string, makeStore: () => Promise<SessionStore>): void {
  describe(`sealed keys on ${name}`, () => {
    let store: SessionStore;

    beforeEach(async () => {
      store = await makeStore();
    });
    afterEach(async () => {
      await store.close();
    });

    const sealing = (secret: string | string[] = SECRET): TestCore<SessionStore> =>
      embeddedCoreOn(store, { keyEncryption: { secret } });

    async function started(engine: TestCore<SessionStore>): Promise<TestCore<SessionStore>> {
      await engine.core.start();
      return engine;
    }

    async function expectSetupError(engine: TestCore<SessionStore>, message: RegExp): Promise<void> {
      const error: unknown = await engine.core.start().catch((reason: unknown) => reason);
      await engine.core.close();
      expect(error).toBeInstanceOf(StoreSetupError);
      expect((error as Error).message).toMatch(message);
    }

    /** A session with a refreshed and a static token, which must survive whatever happens to the keys. */
    async function sessionOn({ core }: TestCore<SessionStore>) {
      const first = await create(core);
      const fixed = await create(core, { useDynamicSigningKey: false });
      let refreshToken = first.refreshToken.token;
      return async (other: TestCore<SessionStore>): Promise<void> => {
        for (const { accessToken } of [first, fixed])
          expect(await verify(other.core, accessToken.token)).toMatchObject({ status: 'OK' });
        const next = await refreshed(other.core, refreshToken);
        expect(await replacementOf(other.core, next.accessToken.token)).toBeDefined();
        refreshToken = next.refreshToken.token;
      };
    }

    describe('the text of a stored key', () => {
      const places = [
        { kind: 'refresh-token' },
        { kind: 'dynamic', createdAtMs: 5 },
        { kind: 'dynamic', createdAtMs: 6, algorithm: 'ES256' },
        { kind: 'static', kid: 's-1', algorithm: 'RS256' },
        { kind: 'static', kid: 's-2', algorithm: 'ES256' },
      ] as const;

      beforeEach(async () => {
        await store.getOrSetRefreshTokenKey('old', 1);
        await store.addDynamicKey({ createdAtMs: 5, value: 'old' }, 0);
        await store.addDynamicKey({ createdAtMs: 6, value: 'old', algorithm: 'ES256' }, 0);
        await store.addStaticKey({ kid: 's-1', createdAtMs: 7, value: 'old', algorithm: 'RS256' });
        await store.addStaticKey({ kid: 's-2', createdAtMs: 8, value: 'old', algorithm: 'ES256' });
      });

      it.each(places)('is replaced if it is as expected, and no other is: %j', async (place) => {
        const long = `public|${'x'.repeat(4000)}`;
        expect(await store.replaceKey(place, 'another', long)).toBe(false);
        expect(await storedTexts(store)).toEqual(['old', 'old', 'old', 'old', 'old']);
        expect(await store.replaceKey(place, 'old', long)).toBe(true);
        expect((await storedTexts(store)).filter((text) => text !== 'old')).toEqual([long]);
        const [dynamic, fixed] = [await store.findDynamicKeys(0), await store.findStaticKeys()];
        expect(dynamic.map(({ createdAtMs, algorithm }) => [createdAtMs, algorithm])).toEqual([
          [6, 'ES256'],
          [5, undefined],
        ]);
        expect(fixed.map(({ kid, createdAtMs }) => [kid, createdAtMs])).toEqual([
          ['s-2', 8],
          ['s-1', 7],
        ]);
      });

      it('is not replaced where there is no such key', async () => {
        for (const place of [
          { kind: 'dynamic', createdAtMs: 9 },
          { kind: 'dynamic', createdAtMs: 5, algorithm: 'ES256' },
          { kind: 'static', kid: 's-9', algorithm: 'RS256' },
        ] as const)
          expect(await store.replaceKey(place, 'old', 'new')).toBe(false);
        expect(await storedTexts(store)).not.toContain('new');
      });

      it('is replaced by one of twenty that expect the same', async () => {
        const place = { kind: 'refresh-token' } as const;
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, n) => store.replaceKey(place, 'old', `new-${n}`)),
        );
        expect(results.filter(Boolean)).toHaveLength(1);
        expect(await store.getOrSetRefreshTokenKey('x', 1)).toBe(`new-${results.indexOf(true)}`);
      });

      it('is of our own tables, and not of a Core', async () => {
        expect(await store.hasCoreTables()).toBe(false);
      });
    });

    it('holds no private key that was not sealed, from the first start on (S020)', async () => {
      const engine = await started(sealing());
      const isUsable = await sessionOn(engine);
      expect(await unsealedTexts(store)).toEqual([]);
      await isUsable(await started(sealing()));
      expect(engine.core.description).toMatch(/, keys sealed$/);
    });

    it('seals the keys that are there, and every session goes on (S020)', async () => {
      await seedSigningKeys(store);
      const plain = await started(embeddedCoreOn(store));
      const isUsable = await sessionOn(plain);
      const sealed = await started(sealing());
      expect(await unsealedTexts(store)).toEqual([]);
      await isUsable(sealed);
      await isUsable(plain); // an instance that runs on, without the secret
      await isUsable(await started(sealing()));
    });

    it('seals the keys once when three start at the same time', async () => {
      await seedSigningKeys(store);
      const isUsable = await sessionOn(await started(embeddedCoreOn(store)));
      const engines = await Promise.all([sealing(), sealing(), sealing()].map(started));
      const texts = await storedTexts(store);
      expect(await unsealedTexts(store)).toEqual([]);
      for (const engine of engines) await isUsable(engine);
      expect(await storedTexts(store)).toEqual(texts);
    });

    it('changes the secret with two instances, one after the other (S121)', async () => {
      const old = await started(sealing());
      const isUsable = await sessionOn(old);
      const atFirst = await storedTexts(store);
      await started(sealing([SECRET, OTHER_SECRET]));
      expect(await storedTexts(store)).toEqual(atFirst);
      const changed = await started(sealing([OTHER_SECRET, SECRET]));
      for (const text of await storedTexts(store)) expect(atFirst).not.toContain(text);
      await isUsable(changed);
      await isUsable(old);
      await isUsable(await started(sealing([SECRET, OTHER_SECRET])));
      await isUsable(await started(sealing([OTHER_SECRET, SECRET])));
      await isUsable(await started(sealing(OTHER_SECRET)));
    });

    it.each([
      ['with another secret', { keyEncryption: { secret: OTHER_SECRET } }, /keyEncryption\.secret/],
      ['without the option', {}, /no option keyEncryption/],
      [
        'with a KMS only',
        { keyEncryption: { wrap: (k: Uint8Array) => k, unwrap: (k: Uint8Array) => k } },
        /keyEncryption/,
      ],
    ])('does not start %s, and changes no key (S121)', async (_, options, message) => {
      const isUsable = await sessionOn(await started(sealing()));
      const texts = await storedTexts(store);
      // Its end must not close the store of the others: a database in memory would be gone.
      const open = interceptedStore(store, async (call, work) => (call === 'close' ? undefined : work()));
      const engine = embeddedCoreOn(open, options);
      engine.clock.advance(8 * 86_400_000); // a rotating key would be due
      await expectSetupError(engine, message);
      expect(await storedTexts(store)).toEqual(texts);
      await isUsable(await started(sealing()));
    });

    it('is turned off by unsealing the keys first', async () => {
      const isUsable = await sessionOn(await started(sealing()));
      const opening = await started(
        embeddedCoreOn(store, { keyEncryption: { secret: SECRET, mode: 'open' } }),
      );
      expect(await unsealedTexts(store)).toEqual([]);
      await isUsable(opening);
      const off = await started(embeddedCoreOn(store, { keyEncryption: { secret: SECRET, mode: 'unseal' } }));
      expect(off.core.description).toMatch(/, keys plain$/);
      for (const text of await storedTexts(store)) expect(text).not.toMatch(/sealed/);
      await isUsable(await started(embeddedCoreOn(store)));
    });

    it.each(['before', 'after'])(
      'is as good as before when the process ends %s any step of the sealing (S121)',
      async (when) => {
        await seedSigningKeys(store);
        const isUsable = await sessionOn(await started(embeddedCoreOn(store)));
        const descriptions: string[] = [];
        for (let step = 1; step <= 4; step++) {
          let steps = 0;
          const crashing = interceptedStore(store, async (call, work) => {
            if (call !== 'replaceKey' || ++steps < step) return work();
            if (when === 'after') await work();
            throw new Error('the process has ended');
          });
          const { core } = embeddedCoreOn(crashing, { keyEncryption: { secret: SECRET } });
          await core.start();
          descriptions.push(core.description);
          await isUsable(
            await started(embeddedCoreOn(store, { keyEncryption: { secret: SECRET, mode: 'open' } })),
          );
        }
        await isUsable(await started(sealing()));
        expect(await unsealedTexts(store)).toEqual([]);
        expect(descriptions[0]).toMatch(/, keys sealed but for 3$/);
      },
    );
  });
}
