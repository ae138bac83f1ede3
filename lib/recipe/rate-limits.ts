import type { RateLimitConfig, RateLimitDecision, RateLimitedAttempt } from '../config/rate-limit-options.js';
import type { CoreClient } from '../core/core-client.js';
import { CoreUnavailableError } from '../errors/core.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { SessionError } from '../errors/session.error.js';
import type { Clock } from '../shared/clock.js';
import { addressGroupOf, clientAddressOf } from '../shared/client-address.js';
import { getRequestFromUserContext, type UserContext } from '../shared/user-context.js';
import { withinTime } from '../shared/within-time.js';
import type { FlowWatcher, Refusal } from './watched-flows.js';

/** A limiter that is away is reported this often. */
const WARNING_INTERVAL_MS = 60_000;

/**
 * Asks the application's limiter. What it refuses ends in a `RateLimitedError`, which clears nothing.
 *
 * @see docs/security-requirements.md S101
 */
export class RateLimits implements FlowWatcher {
  private warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly config: RateLimitConfig,
    private readonly core: Pick<CoreClient, 'readRefreshToken'>,
    private readonly clock: Clock,
  ) {}

  /** Before anything is done for a refresh token. */
  async beforeRefresh(refreshToken: string, userContext: UserContext): Promise<void> {
    const content = await this.core.readRefreshToken(refreshToken);
    await this.ask({
      kind: 'refresh',
      ...addressesIn(userContext),
      sessionHandle: content?.sessionHandle,
      recipeUserId: content?.recipeUserId,
      userContext,
    });
  }

  /** After an access token was refused; other failures than those of the token do not count. */
  async afterRefusal({ error, hasToken, userContext }: Refusal): Promise<void> {
    if (!hasToken || !SessionError.isSessionError(error)) return;
    const { type: reason } = error;
    if (reason !== 'UNAUTHORISED' && reason !== 'TRY_REFRESH_TOKEN') return;
    await this.ask({ kind: 'failed-verify', ...addressesIn(userContext), reason, userContext });
  }

  private async ask(attempt: RateLimitedAttempt): Promise<void> {
    const decision = await this.decide(attempt);
    if (!decision.allowed) throw new RateLimitedError(decision.retryAfterSec);
  }

  private async decide(attempt: RateLimitedAttempt): Promise<RateLimitDecision> {
    try {
      const { limiter, timeoutMs } = this.config;
      const asked = (async () => limiter(attempt))();
      return understood(await withinTime(asked, timeoutMs, `It took longer than ${timeoutMs} ms`));
    } catch (error) {
      this.warn(error);
      if (this.config.whenUnavailable === 'allow') return { allowed: true };
      throw new CoreUnavailableError('The rate limiter gave no decision', { cause: error });
    }
  }

  private warn(error: unknown): void {
    const now = this.clock.now();
    const elapsedMs = now - this.warnedAtMs;
    if (elapsedMs >= 0 && elapsedMs < WARNING_INTERVAL_MS) return;
    this.warnedAtMs = now;
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const consequence =
      this.config.whenUnavailable === 'allow' ? 'attempts go on uncounted' : 'attempts are refused';
    process.emitWarning(`The rate limiter fails, ${consequence}`, { type: 'NestSessionsWarning', detail });
  }
}

function addressesIn(userContext: UserContext): { ip: string | undefined; ipGroup: string | undefined } {
  const request = getRequestFromUserContext(userContext);
  const ip = request && clientAddressOf(request);
  return { ip, ipGroup: ip === undefined ? undefined : addressGroupOf(ip) };
}

/** What an application gives is not taken on trust: anything but a clear decision is none. */
function understood(decision: unknown): RateLimitDecision {
  const { allowed, retryAfterSec } = (decision ?? {}) as { allowed?: unknown; retryAfterSec?: unknown };
  if (allowed === true) return { allowed };
  if (
    allowed === false &&
    typeof retryAfterSec === 'number' &&
    retryAfterSec > 0 &&
    Number.isFinite(retryAfterSec)
  ) {
    return { allowed, retryAfterSec };
  }
  throw new TypeError(
    'The rate limiter must return { allowed: true } or { allowed: false, retryAfterSec: <seconds> }',
  );
}
