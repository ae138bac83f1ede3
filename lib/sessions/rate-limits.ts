import type {
  RateLimitConfig,
  RateLimitDecision,
  RateLimitedAttempt,
} from '../options/observability-options.js';
import type { CoreClient } from '../core/core-client.js';
import { CoreUnavailableError, RateLimitedError, SessionError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { addressGroup, clientAddress } from '../util/client-address.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';
import { withTimeout } from '../util/with-timeout.js';

/** A verification that refused its caller. */
interface Refusal {
  readonly error: unknown;
  /** True if the caller sent an access token in the format of this library. */
  readonly hasToken: boolean;
  readonly userContext: UserContext;
}

/**
 * Calls the application's limiter. Its refusal becomes a `RateLimitedError`, which clears no tokens.
 *
 * @see docs/security-requirements.md S101
 */
export class RateLimits {
  private readonly warning: OccasionalWarning;

  constructor(
    private readonly config: RateLimitConfig,
    private readonly core: Pick<CoreClient, 'readRefreshToken'>,
    clock: Clock,
  ) {
    this.warning = new OccasionalWarning(clock);
  }

  /**
   * Call it before a refresh token is used. It reads no session, because a refused attempt must cause no call of the store.
   */
  async beforeRefresh(refreshToken: string, userContext: UserContext): Promise<void> {
    const { sessionHandle, recipeUserId } = (await this.core.readRefreshToken(refreshToken)) ?? {};
    await this.check({
      kind: 'refresh',
      ...readAddresses(userContext),
      sessionHandle,
      recipeUserId,
      userContext,
    });
  }

  /** Call it after a verification has failed. Only failures of the access token count. */
  async afterRefusal({ error, hasToken, userContext }: Refusal): Promise<void> {
    if (!hasToken || !SessionError.isSessionError(error)) return;
    const { type: reason } = error;
    if (reason !== 'UNAUTHORISED' && reason !== 'TRY_REFRESH_TOKEN') return;
    await this.check({ kind: 'failed-verify', ...readAddresses(userContext), reason, userContext });
  }

  private async check(attempt: RateLimitedAttempt): Promise<void> {
    const decision = await this.decide(attempt);
    if (!decision.allowed) throw new RateLimitedError(decision.retryAfterSec);
  }

  private async decide(attempt: RateLimitedAttempt): Promise<RateLimitDecision> {
    try {
      const { limiter, timeoutMs } = this.config;
      const decision = (async () => limiter(attempt))();
      return parseDecision(await withTimeout(decision, timeoutMs, `It took longer than ${timeoutMs} ms`));
    } catch (error) {
      this.warn(error);
      if (this.config.whenUnavailable === 'allow') return { allowed: true };
      throw new CoreUnavailableError('The rate limiter gave no decision', { cause: error });
    }
  }

  private warn(error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const consequence =
      this.config.whenUnavailable === 'allow' ? 'attempts go on uncounted' : 'attempts are refused';
    this.warning.warn(`The rate limiter fails, ${consequence}`, detail);
  }
}

function readAddresses(userContext: UserContext): { ip: string | undefined; ipGroup: string | undefined } {
  const request = getRequestFromUserContext(userContext);
  const ip = request && clientAddress(request);
  return { ip, ipGroup: ip === undefined ? undefined : addressGroup(ip) };
}

/** Checks the decision of the application's limiter. @throws {TypeError} it has not the documented form */
function parseDecision(decision: unknown): RateLimitDecision {
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
