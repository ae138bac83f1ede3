import { EmbeddedCore } from '../../lib/core/embedded/embedded-core.js';
import {
  resolveEmbeddedCoreOptions,
  type EmbeddedCoreOptions,
} from '../../lib/core/embedded/embedded-core-options.js';
import { parseSessionHandle } from '../../lib/core/embedded/session-handle.js';
import type { SessionRow, SessionStore } from '../../lib/stores/session-store.js';
import { MemoryStore } from '../../lib/stores/memory.store.js';
import { SessionEvents } from '../../lib/events/session-events.js';
import type { SessionEvent } from '../../lib/events/session-event.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import {
  DYNAMIC_TEST_KEY,
  DYNAMIC_TEST_KEY_CREATED_AT_MS,
  STATIC_TEST_KEY,
  STATIC_TEST_KID,
  TEST_START_MS,
} from '../fixtures/signing-keys.js';

export {
  DYNAMIC_TEST_KEY_CREATED_AT_MS,
  DYNAMIC_TEST_KID,
  keyPairOf,
  STATIC_TEST_KID,
  TEST_START_MS,
} from '../fixtures/signing-keys.js';

/** Access tokens live this long by default, in seconds. */
export const ACCESS_VALIDITY_SEC = 3600;
/** Sessions live this long after a promotion by default, in seconds. */
export const REFRESH_VALIDITY_SEC = 8_640_000;

/** An engine and what a test moves and looks at. */
export interface TestCore<S extends SessionStore = MemoryStore> {
  readonly core: EmbeddedCore;
  readonly clock: TestClock;
  readonly store: S;
  /** Everything that the engine reported so far. */
  readonly events: readonly SessionEvent[];
}

type EngineOptions = Omit<EmbeddedCoreOptions, 'store'>;

/** Puts ready-made signing keys into a store, so that no test waits for the making of one. */
export async function seedSigningKeys(store: SessionStore): Promise<void> {
  await store.addDynamicKey({ createdAtMs: DYNAMIC_TEST_KEY_CREATED_AT_MS, value: DYNAMIC_TEST_KEY }, 0);
  await store.addStaticKey({
    kid: STATIC_TEST_KID,
    createdAtMs: DYNAMIC_TEST_KEY_CREATED_AT_MS,
    value: STATIC_TEST_KEY,
    algorithm: 'RS256',
  });
}

/** A memory store that holds the signing keys of the fixtures. */
export async function seededMemoryStore(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await seedSigningKeys(store);
  return store;
}

/** An engine on a store that is there already: another instance, or the same one after a restart. */
export function embeddedCoreOn<S extends SessionStore>(
  store: S,
  options: EngineOptions = {},
  clock = new TestClock(TEST_START_MS),
): TestCore<S> {
  const { config } = resolveEmbeddedCoreOptions({ accessTokenValidityJitter: 0, ...options });
  const sessionEvents = new SessionEvents();
  const events: SessionEvent[] = [];
  sessionEvents.immediate.subscribe((event) => events.push(event));
  const context = {
    clock,
    events: sessionEvents,
    apiDomain: 'http://localhost:3000',
    jwksRefreshIntervalSec: 14_400,
  };
  return { core: new EmbeddedCore(store, config, context), clock, store, events };
}

/** An engine on a fresh memory store: defaults of the options, but no jitter. */
export async function makeEmbeddedCore(options: EngineOptions = {}): Promise<TestCore> {
  return embeddedCoreOn(await seededMemoryStore(), options);
}

/** The stored row of a session that must be there. */
export async function rowOf(store: SessionStore, sessionHandle: string): Promise<SessionRow> {
  const key = parseSessionHandle(sessionHandle);
  const row = key && (await store.findSession(key));
  if (row === undefined) throw new Error(`There is no row of ${sessionHandle}`);
  return row;
}
