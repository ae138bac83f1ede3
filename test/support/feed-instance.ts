import type { CoreProvider } from '../../lib/core/core-provider.js';
import { UnauthorisedError } from '../../lib/errors.js';
import { SessionEvents } from '../../lib/events/session-events.js';
import type { SessionEvent } from '../../lib/events/session-event.js';
import type { RevocationFeedOptions } from '../../lib/feed/feed-options.js';
import type { RevocationWatch } from '../../lib/feed/revocation-watch.js';
import { RecipeDependencies } from '../../lib/sessions/recipe-dependencies.js';
import { SessionService } from '../../lib/session.service.js';
import { SessionStreams } from '../../lib/sse/session-streams.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seededMemoryStore, TEST_START_MS } from './embedded.js';
import { TestApplication } from './test-application.js';

/** An application whose instances tell each other which sessions have ended. */
export interface Instance {
  readonly sessions: SessionService;
  readonly clock: TestClock;
  readonly streams: SessionStreams;
  close(): Promise<void>;
  readonly watch: RevocationWatch;
  /** Number of access tokens that are remembered now. */
  rememberedTokens(): number;
  /** The events so far. */
  events(): Promise<readonly SessionEvent[]>;
  accepts(accessToken: string): Promise<boolean>;
}

/** An instance whose feed is read only when the test says so, or when something is announced. */
export async function instance(
  store: SessionStore,
  clock = new TestClock(TEST_START_MS),
  feed: RevocationFeedOptions = {},
): Promise<Instance> {
  return opened(TestApplication.withoutServer().store(store), clock, feed);
}

/** The same on another core than an embedded one. */
export async function instanceOn(
  core: CoreProvider,
  clock: TestClock,
  feed: RevocationFeedOptions = {},
): Promise<Instance> {
  return opened(TestApplication.withoutServer().with({ core }), clock, feed);
}

async function opened(
  starter: ReturnType<typeof TestApplication.withoutServer>,
  clock: TestClock,
  feed: RevocationFeedOptions,
): Promise<Instance> {
  const { app, events, close } = await starter
    .clock(clock)
    .with({ revocationFeed: { pollMs: 60_000, ...feed } })
    .start();
  const sessions = app.get(SessionService);
  const { revocations: watch, verifier } = app.get(RecipeDependencies, { strict: false });
  if (watch === undefined) throw new Error('There is no feed');
  const accepts = async (accessToken: string): Promise<boolean> => {
    try {
      await sessions.getSessionWithoutRequestResponse({ accessToken, antiCsrfCheck: false });
      return true;
    } catch (error) {
      if (error instanceof UnauthorisedError) return false;
      throw error;
    }
  };
  const delivered = async (): Promise<readonly SessionEvent[]> => {
    await app.get(SessionEvents, { strict: false }).delivered();
    return events;
  };
  const streams = app.get(SessionStreams, { strict: false });
  const rememberedTokens = (): number => verifier.cachedTokens;
  return { sessions, streams, clock, close, watch, rememberedTokens, events: delivered, accepts };
}

export async function signIn({ sessions }: Instance, input: { userId?: string; tenantId?: string } = {}) {
  const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1', ...input });
  const { accessToken, refreshToken } = session.getAllSessionTokensDangerously();
  return { handle: session.getHandle(), accessToken, refreshToken: refreshToken ?? '' };
}

/** A store as others write it, which knows of no feed. */
export async function storeWithoutFeed(): Promise<SessionStore> {
  return new Proxy(await seededMemoryStore(), {
    get: (store, name) => {
      if (name === 'revocations') return undefined;
      const value: unknown = Reflect.get(store, name, store);
      return typeof value === 'function' ? (value.bind(store) as unknown) : value;
    },
  });
}
