import { assertNever, CoreUnavailableError, TryRefreshTokenError, UnauthorisedError } from '../errors.js';
import { RevocationWatch } from '../feed/revocation-watch.js';
import type { AccessTokenInfo } from '../tokens/access-token-format.js';
import type { TokenVerifier } from '../tokens/token-verifier.js';
import type { Clock } from '../util/clock.js';
import { NewestEntries } from '../util/newest-entries.js';
import { SharedRuns } from '../util/shared-runs.js';
import type { RevocationFeedConfig } from '../feed/feed-options.js';
import type { WebFeed, SessionState } from './web-feed.js';
import type { FetchFunction } from './web-fetch.js';

/** Tokens whose confirmation is remembered. */
const MAX_CONFIRMED = 10_000;

/** The parts of a verifier that a feed works with. */
export interface FollowerParts {
  readonly clock: Clock;
  readonly fetch: FetchFunction;
  readonly verifier: Pick<TokenVerifier, 'forgetSessions' | 'forgetWhere'>;
}

/**
 * A feed of ended sessions for a verifier, made by `servedRevocations`.
 *
 * @publicApi
 */
export interface RevocationSource {
  /** @internal Called once by the verifier. */
  follow(parts: FollowerParts): FollowedRevocations;
}

/** The ended sessions that a verifier knows of, and the server that it asks. */
export class FollowedRevocations {
  readonly watch: RevocationWatch;
  /** When the first read is over, or after five seconds. */
  readonly ready: Promise<void>;
  private readonly confirmed = new NewestEntries<true>(MAX_CONFIRMED);
  private readonly questions = new SharedRuns<SessionState>();
  private hasStarted = false;

  constructor(
    private readonly feed: WebFeed,
    private readonly config: RevocationFeedConfig,
    { clock, verifier }: FollowerParts,
  ) {
    this.watch = new RevocationWatch({
      feed,
      config,
      isPublisher: false,
      clock,
      events: { emit: () => undefined },
      onEnded: (sessionHandles) => verifier.forgetSessions(sessionHandles),
      onDoubt: (scope) => verifier.forgetWhere((info) => scope.includes(info)),
      onCutOffs: () => undefined,
      settle: async () => undefined,
    });
    this.ready = this.start();
  }

  private async start(): Promise<void> {
    await this.watch.start();
    this.hasStarted = true;
  }

  get isReady(): boolean {
    return this.hasStarted;
  }

  mayRemember(info: AccessTokenInfo): boolean {
    return this.watch.isClear(info);
  }

  /**
   * Asks about a session that only the core can decide on: its token is used for the first time after a refresh, it may have
   * ended, or the caller wants to know.
   *
   * @throws {SessionError} it does not go on
   * @throws {CoreUnavailableError} there is no response
   */
  async confirm(info: AccessTokenInfo, accessToken: string, isAsked: boolean): Promise<void> {
    const isClear = !isAsked && this.watch.judge(info) === 'valid';
    if (isClear && this.confirmed.get(accessToken) !== undefined) return;
    const note = this.watch.beforeAsking(info);
    const status = await this.ask(accessToken, isClear);
    switch (status) {
      case 'NO_RESPONSE':
        return; // accepted for this time: the next use asks again
      case 'OK':
        note(true);
        this.confirmed.add(accessToken, true);
        return;
      case 'UNAUTHORISED':
      case 'EXPIRED':
        if (status === 'UNAUTHORISED') note(false);
        throw new UnauthorisedError('The session has ended');
      case 'TRY_REFRESH_TOKEN':
        throw new TryRefreshTokenError('The core asks for a refresh');
      default:
        assertNever(status);
    }
  }

  async close(): Promise<void> {
    this.feed.close();
    await this.watch.stop();
  }

  /** With `whenStale: 'accept'` a first use goes on while the server is away, as it does without a feed. */
  private async ask(accessToken: string, isFirstUse: boolean): Promise<SessionState | 'NO_RESPONSE'> {
    try {
      return await this.questions.run(accessToken, async () => this.feed.confirm(accessToken));
    } catch (error) {
      if (isFirstUse && this.config.whenStale === 'accept' && error instanceof CoreUnavailableError)
        return 'NO_RESPONSE';
      throw error;
    }
  }
}
