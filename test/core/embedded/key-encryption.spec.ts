import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CoreUnavailableError } from '../../../lib/errors.js';
import type { KeyEncryptionOptions } from '../../../lib/core/embedded/key-encryption-options.js';
import type { SealedKeyContext } from '../../../lib/core/embedded/key-wrapping.js';
import {
  embeddedCore,
  resolveEmbeddedCoreOptions,
  type EmbeddedCoreOptions,
} from '../../../lib/core/embedded/embedded-core-options.js';
import { errorReason } from '../../../lib/events/printable.js';
import { MemoryStore } from '../../../lib/stores/memory.store.js';
import { StoreSetupError, type SessionStore } from '../../../lib/stores/session-store.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { create, kidOf, refreshed, replacementOf, verify } from '../../support/core-calls.js';
import { embeddedCoreOn, seededMemoryStore, TEST_START_MS, type TestCore } from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import {
  unsealedTexts,
  FakeKms,
  holdsPlainKey,
  OTHER_SECRET,
  SECRET,
  storedTexts,
} from '../../support/sealed-keys.js';

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;
type Options = Omit<EmbeddedCoreOptions, 'store'>;

const messagesOf = (keyEncryption: unknown): string[] =>
  embeddedCore({ keyEncryption: keyEncryption as KeyEncryptionOptions }).problems.map(
    ({ path, message }) => `${path} ${message}`,
  );
const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('the option keyEncryption', () => {
  it.each<[string, unknown]>([
    ['32 random bytes', randomBytes(32)],
    ['an array of bytes', new Uint8Array(randomBytes(48))],
    ['them as base64', randomBytes(32).toString('base64')],
    ['them as base64url', randomBytes(32).toString('base64url')],
    ['them as hexadecimal digits', randomBytes(32).toString('hex')],
    ['a list', [SECRET, randomBytes(32)]],
  ])('accepts %s as secret', (_, secret) => {
    expect(messagesOf({ secret })).toEqual([]);
  });

  it.each<[string, unknown, RegExp]>([
    ['a short text', 'correct horse battery staple', /is a text of 28 characters: .* at least 43/],
    [
      '16 bytes in hexadecimal',
      randomBytes(16).toString('hex'),
      /is a text of 32 characters: .* at least 64/,
    ],
    ['digits', '0123456789'.repeat(5), /is a text of 50 characters: .* at least 77/],
    ['a short buffer', randomBytes(31), /is a buffer of 31 bytes: at least 32/],
    ['one that repeats itself', 'changeme'.repeat(10), /repeats itself/],
    ['an empty buffer of 64 bytes', Buffer.alloc(64), /repeats itself/],
    ['an empty list', [], /empty list/],
    ['a list with a short one', [SECRET, 'short'], /has number 2, which is a text of 5 characters/],
    ['a number', 5, /neither a text nor a buffer/],
  ])('refuses %s as secret, and says how to make one (S121)', (_, secret, message) => {
    const problems = messagesOf({ secret });
    expect(problems).toEqual([expect.stringMatching(message)]);
    expect(problems[0]).toMatch(/^core\.keyEncryption\.secret /);
    expect(problems[0]).not.toContain(typeof secret === 'string' ? secret : SECRET);
  });

  it.each<[unknown, RegExp]>([
    ['a secret', /object with secret/],
    [{}, /needs secret, or wrap and unwrap/],
    [{ wrap: () => new Uint8Array(1) }, /wrap without unwrap/],
    [{ unwrap: () => new Uint8Array(1) }, /needs wrap or secret to seal/],
    [{ secret: SECRET, wrap: 'kms' }, /keyEncryption\.wrap/],
    [
      { secret: SECRET, mode: 'off' },
      /keyEncryption\.mode "off" does not work: accepted are seal, open, unseal/,
    ],
    [{ secret: SECRET, coreIsGone: 'yes' }, /keyEncryption\.coreIsGone/],
    [{ secret: SECRET, secrets: [SECRET] }, /keyEncryption\.secrets/],
  ])('refuses %j', (keyEncryption, message) => {
    expect(messagesOf(keyEncryption)).toEqual([expect.stringMatching(message)]);
  });

  it('shows its secret nowhere, however the configuration is printed (S020, S103)', () => {
    const buffer = Buffer.from(OTHER_SECRET);
    const options: Options = { keyEncryption: { secret: [SECRET, buffer] } };
    const printed = [resolveEmbeddedCoreOptions(options), embeddedCore(options)].flatMap((value) => [
      inspect(value, { depth: 20, showHidden: true, getters: true }),
      JSON.stringify(value),
    ]);
    for (const text of printed) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain(OTHER_SECRET);
      expect(text).not.toContain(buffer.toString('hex').slice(0, 20).replace(/../g, '$& ').trim());
    }
  });
});

/** Waits until a condition holds, for work that goes on in the background. */
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await nextTurn();
}

/** Instances on one store, at one time. */
class Fleet {
  readonly clock = new TestClock(TEST_START_MS);
  private readonly engines: TestCore<SessionStore>[] = [];

  constructor(readonly store: SessionStore) {}

  instance(options: Options, store = this.store): TestCore<SessionStore> {
    const engine = embeddedCoreOn(store, options, this.clock);
    this.engines.push(engine);
    return engine;
  }

  async started(options: Options): Promise<TestCore<SessionStore>> {
    const engine = this.instance(options);
    await engine.core.start();
    return engine;
  }

  async close(): Promise<void> {
    await Promise.all(this.engines.map(({ core }) => core.close()));
  }
}

const bySecret = (
  secret: string | string[] = SECRET,
  mode: 'seal' | 'open' | 'unseal' = 'seal',
): Options => ({
  keyEncryption: { secret, mode },
});

describe('sealed keys', () => {
  let fleet: Fleet;
  beforeEach(async () => {
    fleet = new Fleet(await seededMemoryStore());
  });
  afterEach(async () => fleet.close());

  /** Makes a session and returns a check that it is alive on an instance, by all of its tokens. */
  async function sessionOn({ core }: TestCore<SessionStore>) {
    const { accessToken, refreshToken } = await create(core);
    let current = refreshToken.token;
    return async (on: TestCore<SessionStore>): Promise<void> => {
      const isYoung = fleet.clock.now() <= TEST_START_MS + HOUR_MS;
      const verified = await verify(on.core, accessToken.token);
      expect(verified.status).toBe(isYoung ? 'OK' : 'TRY_REFRESH_TOKEN');
      const next = await refreshed(on.core, current);
      await replacementOf(on.core, next.accessToken.token);
      current = next.refreshToken.token;
    };
  }

  describe('that were changed in the store', () => {
    /** Replaces the one text that is chosen, as somebody does who can write to the store. */
    async function change(pick: (text: string) => boolean, by: (text: string) => string): Promise<void> {
      const places = [
        ...(await fleet.store.findDynamicKeys(0)).map(({ createdAtMs, value }) => ({
          place: { kind: 'dynamic', createdAtMs } as const,
          value,
        })),
        {
          place: { kind: 'refresh-token' } as const,
          value: await fleet.store.getOrSetRefreshTokenKey('-', 1),
        },
      ].filter(({ value }) => pick(value));
      expect(places).toHaveLength(1);
      for (const { place, value } of places)
        expect(await fleet.store.replaceKey(place, value, by(value))).toBe(true);
    }

    const flip = (text: string, index: number): string =>
      `${text.slice(0, index)}${text[index] === 'A' ? 'B' : 'A'}${text.slice(index + 1)}`;
    const isPair = (text: string): boolean => text.includes('|');
    const endOf = (text: string): number => text.lastIndexOf('.');

    it.each<[string, (text: string) => string]>([
      ['its content', (text) => flip(text, endOf(text) + 40)],
      ['its last character but some', (text) => flip(text, text.length - 6)],
      ['its initialisation vector', (text) => flip(text, endOf(text) + 2)],
      ['its wrapped data key', (text) => flip(text, endOf(text) - 30)],
      ['its length, cut short', (text) => text.slice(0, -20)],
      ['its length, cut to the data key', (text) => text.slice(0, endOf(text))],
      ['its version', (text) => text.replace('sealed1.', 'sealed9.')],
      ['the secret that it names', (text) => text.replace(/sealed1\.[\w-]+/, 'sealed1.AAAAAAAAAAA')],
    ])(
      'in %s are not opened: the start ends with a StoreSetupError, and nothing else changes (S121)',
      async (_, by) => {
        await fleet.started(bySecret());
        for (const pick of [(text: string) => !isPair(text), isPair]) {
          const before = await storedTexts(fleet.store);
          await change(pick, by);
          const changed = await storedTexts(fleet.store);
          const error = await failureOf(fleet.instance(bySecret()).core.start());
          expect(error).toBeInstanceOf(StoreSetupError);
          expect((error as Error).message).toMatch(/The (stored )?key (d-\d+|refresh_token_key)/);
          expect(holdsPlainKey(inspect(error, { depth: 9 }))).toBe(false);
          expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
          expect(await storedTexts(fleet.store)).toEqual(changed);
          await change(pick, () => before.find(pick) ?? '');
        }
      },
    );

    it('by a swap of two rows are not opened (S121)', async () => {
      const { core } = await fleet.started(bySecret());
      await core.rotateSigningKeys();
      const [newer = '', older = ''] = (await fleet.store.findDynamicKeys(0)).map(({ value }) => value);
      await change(
        (text) => text === newer,
        () => older,
      );
      const error = await failureOf(fleet.instance(bySecret()).core.start());
      expect(error).toBeUndefined(); // the key before it signs on
      const { accessToken } = await create(fleet.instance(bySecret()).core);
      expect(accessToken.token).toBeDefined();
      const [newest, second] = await fleet.store.findDynamicKeys(0);
      expect(kidOf(accessToken.token)).toBe(`d-${second?.createdAtMs}`);
      expect(newest?.value).toBe(older);
    });

    it('by a foreign public half do not sign (S121)', async () => {
      await fleet.started(bySecret());
      const other = new MemoryStore();
      await embeddedCoreOn(other, bySecret()).core.start();
      const [foreign] = await other.findDynamicKeys(0);
      const [publicHalf = ''] = foreign?.value.split('|') ?? [];
      await change(isPair, (text) => `${publicHalf}|${text.split('|')[1]}`);
      expect(await failureOf(fleet.instance(bySecret()).core.start())).toBeInstanceOf(StoreSetupError);
    });
  });

  it('are found sealed within the hour when an instance without the option has made them', async () => {
    const sealing = await fleet.started(bySecret());
    const plain = fleet.instance({}, new MemoryStore());
    await plain.core.start();
    const [made] = await plain.store.findDynamicKeys(0);
    await fleet.store.addDynamicKey(
      { createdAtMs: TEST_START_MS + 1000, value: made?.value ?? '' },
      TEST_START_MS,
    );
    fleet.clock.advance(HOUR_MS);
    await sealing.core.reloadSigningKeys();
    await sealing.core.close();
    expect(await unsealedTexts(fleet.store)).toEqual([]);
  });

  it('come step by step to a fleet whose instances start at any time, and nobody is signed out', async () => {
    const plain = await fleet.started({});
    const isAlive = await sessionOn(plain);
    const open = await fleet.started(bySecret(SECRET, 'open'));
    for (const text of await storedTexts(fleet.store)) expect(text).not.toMatch(/sealed/);
    await isAlive(await fleet.started({}));
    const sealing = await fleet.started(bySecret());
    for (const engine of [open, sealing, plain, await fleet.started(bySecret(SECRET, 'open'))])
      await isAlive(engine);
    fleet.clock.advance(WEEK_MS + HOUR_MS);
    for (const engine of [open, sealing]) await isAlive(engine);
    await sealing.core.reloadSigningKeys();
    await isAlive(await fleet.started(bySecret()));
    expect(await unsealedTexts(fleet.store)).toEqual([]);
  });

  it('keep an instance that began without the option at work until its last key is over', async () => {
    const plain = await fleet.started({});
    const isAlive = await sessionOn(plain);
    const sealing = await fleet.started(bySecret());
    fleet.clock.advance(WEEK_MS - 2.5 * HOUR_MS);
    await sealing.core.reloadSigningKeys();
    await isAlive(sealing);
    await plain.core.reloadSigningKeys();
    await isAlive(plain);
    fleet.clock.advance(3 * HOUR_MS);
    const error = await failureOf(create(plain.core));
    expect(error).toBeInstanceOf(CoreUnavailableError);
    expect((error as Error).message).toMatch(/no option keyEncryption/);
    await isAlive(sealing);
  });

  it('are not added by an instance that cannot open the ones that are there (S121)', async () => {
    await fleet.started(bySecret());
    fleet.clock.advance(WEEK_MS + HOUR_MS);
    const before = await storedTexts(fleet.store);
    const wrong = fleet.instance({ ...bySecret(OTHER_SECRET), startWithoutStore: false });
    expect(await failureOf(wrong.core.start())).toBeInstanceOf(CoreUnavailableError);
    expect(await failureOf(create(wrong.core))).toBeInstanceOf(CoreUnavailableError);
    await failureOf(wrong.core.getJwks());
    expect(await storedTexts(fleet.store)).toEqual(before);
  });

  it('of the application verify and sign as any others: static key, JWT, ES256, derived secrets', async () => {
    const one = await fleet.started({ ...bySecret(), signingAlgorithm: 'ES256' });
    const { accessToken } = await create(one.core, { useDynamicSigningKey: false });
    const jwt = { payload: {}, jwksDomain: 'https://a.example', validity: 60, algorithm: 'RS256' };
    for (const useStaticSigningKey of [true, false])
      expect(await one.core.createJwt({ ...jwt, useStaticSigningKey })).toMatchObject({ status: 'OK' });
    const { keys } = await one.core.getJwks();
    const two = await fleet.started({ ...bySecret(), signingAlgorithm: 'ES256' });
    expect(await verify(two.core, accessToken.token)).toMatchObject({ status: 'OK' });
    expect((await two.core.getJwks()).keys).toEqual(keys);
    expect(JSON.stringify(keys)).not.toMatch(/"d":|sealed/);
    expect(await two.core.deriveSecret('a')).toBe(await one.core.deriveSecret('a'));
    expect(await unsealedTexts(fleet.store)).toEqual([]);
  });

  it('say so in the line at the start, also where the store cannot change keys', async () => {
    expect((await fleet.started(bySecret(SECRET, 'open'))).core.description).toMatch(
      /sealed keys can be opened, new keys are plain/,
    );
    const fixed = interceptedStore(fleet.store, async (name, call) =>
      name === 'replaceKey' ? false : call(),
    );
    const engine = fleet.instance(bySecret(), fixed);
    await engine.core.start();
    expect(engine.core.description).toMatch(/, keys sealed but for 3$/);
    expect((await fleet.started(bySecret())).core.description).toMatch(/, keys sealed$/);
    expect((await fleet.started(bySecret(SECRET, 'unseal'))).core.description).toMatch(/, keys plain$/);
    expect((await fleet.started({})).core.description).not.toMatch(/keys/);
  });

  it('are refused where a SuperTokens Core has made the tables, unless it is gone (S121)', async () => {
    const ofCore = interceptedStore(fleet.store, async (name, call) =>
      name === 'hasCoreTables' ? true : call(),
    );
    const before = await storedTexts(fleet.store);
    const error = await failureOf(fleet.instance(bySecret(), ofCore).core.start());
    expect(error).toBeInstanceOf(StoreSetupError);
    expect((error as Error).message).toMatch(/coreIsGone/);
    expect(await storedTexts(fleet.store)).toEqual(before);
    await fleet.instance(bySecret(SECRET, 'open'), ofCore).core.start();
    await fleet.instance({ keyEncryption: { secret: SECRET, coreIsGone: true } }, ofCore).core.start();
    expect(await unsealedTexts(fleet.store)).toEqual([]);
  });

  describe('by a KMS', () => {
    const kms = (): FakeKms => new FakeKms();
    let service: FakeKms;
    beforeEach(() => {
      service = kms();
    });
    const byKms = (more: Options = {}): Options => ({ ...more, keyEncryption: service.options });
    const OUTAGES = ['fails', 'short', 'text', 'foreign'] as const;

    it('need few calls: at the start and for a new key, none for a request', async () => {
      const first = await fleet.started(byKms());
      expect(await unsealedTexts(fleet.store)).toEqual([]);
      await first.core.close();
      service.calls.length = 0;
      const engine = await fleet.started(byKms());
      const [refreshKeyWrap, refreshKeyTry, ...rest] = service.calls;
      expect([refreshKeyWrap, refreshKeyTry]).toEqual(['wrap refresh_token_key', 'unwrap refresh_token_key']);
      expect(rest.sort()).toEqual([
        'unwrap d-1759990000000',
        'unwrap refresh_token_key',
        expect.stringMatching('unwrap s-'),
      ]);
      service.calls.length = 0;
      const isAlive = await sessionOn(engine);
      for (let n = 0; n < 20; n++) {
        await isAlive(engine);
        await engine.core.getJwks();
        fleet.clock.advance(60_000);
        await engine.core.reloadSigningKeys();
      }
      expect(service.calls).toEqual([]);
      fleet.clock.advance(WEEK_MS);
      await isAlive(engine);
      expect(service.calls).toEqual([expect.stringMatching('wrap d-'), expect.stringMatching('unwrap d-')]);
    });

    it('get the same context for wrapping and for unwrapping, as text only', async () => {
      const contexts: Record<string, SealedKeyContext[]> = { wrap: [], unwrap: [] };
      const noting = {
        wrap: (bytes: Uint8Array, context: SealedKeyContext) => {
          contexts['wrap']?.push(context);
          return service.options.wrap(bytes, context);
        },
        unwrap: (bytes: Uint8Array, context: SealedKeyContext) => {
          contexts['unwrap']?.push(context);
          return service.options.unwrap(bytes, context);
        },
      };
      await fleet.started({ keyEncryption: noting });
      expect(contexts['wrap']).toEqual(contexts['unwrap']);
      expect(contexts['wrap']).toContainEqual({
        purpose: 'nest-sessions',
        kind: 'dynamic-signing-key',
        id: 'd-1759990000000',
      });
    });

    it.each(OUTAGES)(
      'start as with a store that is away where it %s, and work once it is back (S121)',
      async (how) => {
        const isAlive = await sessionOn(await fleet.started(byKms()));
        const before = await storedTexts(fleet.store);
        service.behaviour = how;
        const strict = fleet.instance(byKms({ startWithoutStore: false }));
        expect(await failureOf(strict.core.start())).toBeInstanceOf(CoreUnavailableError);
        const engine = fleet.instance(byKms());
        await engine.core.start();
        const error = await failureOf(create(engine.core));
        expect(error).toBeInstanceOf(CoreUnavailableError);
        expect(errorReason(error)).toMatch(/keyEncryption\.(wrap|unwrap)/);
        expect(await storedTexts(fleet.store)).toEqual(before);
        service.behaviour = 'works';
        fleet.clock.advance(5000);
        await isAlive(engine);
        expect(engine.events.map(({ type }) => type)).toEqual(
          expect.arrayContaining(['core.unavailable', 'core.available']),
        );
      },
    );

    it('verify tokens and publish keys while it is away, in a process that has opened none (S121)', async () => {
      const { accessToken } = await create((await fleet.started(byKms())).core);
      service.behaviour = 'fails';
      const engine = await fleet.started(byKms());
      expect(await verify(engine.core, accessToken.token)).toMatchObject({ status: 'OK' });
      expect((await engine.core.getJwks()).keys).toHaveLength(2);
    });

    it.each(OUTAGES)(
      'go on in memory where it %s later, past the end of the rotating key (S121)',
      async (how) => {
        const engine = await fleet.started(byKms());
        const isAlive = await sessionOn(engine);
        const [old] = await fleet.store.findDynamicKeys(0);
        service.behaviour = how;
        for (const advanceMs of [HOUR_MS, WEEK_MS - 4 * HOUR_MS, 60_000, HOUR_MS]) {
          fleet.clock.advance(advanceMs);
          await engine.core.reloadSigningKeys();
          await isAlive(engine);
          expect(kidOf((await create(engine.core)).accessToken.token)).toBe(`d-${old?.createdAtMs}`);
          expect((await engine.core.getJwks()).keys).toHaveLength(2);
        }
        expect(await fleet.store.findDynamicKeys(0)).toHaveLength(1);
        service.behaviour = 'works';
        fleet.clock.advance(5000);
        await engine.core.reloadSigningKeys();
        await eventually(async () => (await fleet.store.findDynamicKeys(0)).length === 2);
        await isAlive(engine);
        expect(await unsealedTexts(fleet.store)).toEqual([]);
      },
    );

    it('notice a key that was removed while it is away', async () => {
      const engine = await fleet.started(byKms());
      const { accessToken } = await create(engine.core);
      await engine.core.rotateSigningKeys();
      const [newest] = await fleet.store.findDynamicKeys(0);
      service.behaviour = 'fails';
      fleet.clock.advance(60_000);
      await fleet.store.deleteDynamicKeys(newest?.createdAtMs ?? 0);
      await engine.core.reloadSigningKeys();
      expect(await verify(engine.core, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    });

    it('are not stored where what wrap returns cannot be unwrapped (S121)', async () => {
      const before = await storedTexts(fleet.store);
      const broken = { wrap: () => randomBytes(100), unwrap: () => randomBytes(32) };
      const engine = await fleet.started({ keyEncryption: broken });
      expect(await failureOf(create(engine.core))).toBeInstanceOf(CoreUnavailableError);
      expect(await storedTexts(fleet.store)).toEqual(before);
      await fleet.started({});
    });

    it('end the start with the StoreSetupError that unwrap throws', async () => {
      await fleet.started(byKms());
      const unwrap = (): never => {
        throw new StoreSetupError('The role may not use the key');
      };
      const engine = fleet.instance({ keyEncryption: { ...service.options, unwrap } });
      expect(await failureOf(engine.core.start())).toMatchObject({ message: 'The role may not use the key' });
    });

    it('move from a secret to a KMS and back', async () => {
      const isAlive = await sessionOn(await fleet.started(bySecret()));
      await isAlive(await fleet.started({ keyEncryption: { secret: SECRET, ...service.options } }));
      await isAlive(await fleet.started(byKms()));
      for (const text of await storedTexts(fleet.store)) expect(text).toContain('sealed1.kms.');
      const { unwrap } = service.options;
      await isAlive(await fleet.started({ keyEncryption: { secret: SECRET, unwrap } }));
      await isAlive(await fleet.started(bySecret()));
      for (const text of await storedTexts(fleet.store)) expect(text).not.toContain('sealed1.kms.');
    });

    describe('that hangs', () => {
      beforeEach(() => {
        jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'performance', 'hrtime', 'Date'] });
      });
      afterEach(() => {
        jest.useRealTimers();
      });

      it('lets the start go on after ten seconds', async () => {
        const isAlive = await sessionOn(await fleet.started(byKms()));
        service.behaviour = 'hangs';
        const engine = fleet.instance(byKms());
        const starting = engine.core.start();
        await jest.advanceTimersByTimeAsync(10_000);
        await starting;
        expect(await failureOf(create(engine.core))).toBeInstanceOf(CoreUnavailableError);
        service.behaviour = 'works';
        fleet.clock.advance(5000);
        await isAlive(engine);
      });

      it('delays a sign-in by a second, and the next by nothing', async () => {
        const engine = await fleet.started(byKms());
        service.behaviour = 'hangs';
        fleet.clock.advance(WEEK_MS - 2.5 * HOUR_MS);
        service.calls.length = 0;
        const first = create(engine.core);
        await eventually(async () => service.calls.length > 0);
        await jest.advanceTimersByTimeAsync(1000);
        await first;
        await create(engine.core); // no timer has to go on for it
        await jest.advanceTimersByTimeAsync(9000);
        expect(engine.events.map(({ type }) => type)).toContain('core.unavailable');
        await create(engine.core);
        service.behaviour = 'works';
        fleet.clock.advance(5000);
        await engine.core.reloadSigningKeys();
        await eventually(async () => (await fleet.store.findDynamicKeys(0)).length === 2);
      });
    });
  });
});
