import type {
  RateLimitConfig,
  RateLimitDecision,
  RateLimitedAttempt,
} from '../options/observability-options.js';
import type { CoreClient } from '../core/core-client.js';
import { CoreUnavailableError, RateLimitedError, SessionError, StoreFullError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { addressGroup, clientAddress } from '../util/client-address.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import { SingleFlight } from '../util/single-flight.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';
import { withTimeout } from '../util/with-timeout.js';

type GiveBack = (() => unknown) | undefined;

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
  private readonly pinging = new SingleFlight(async () => this.core.ping());

  constructor(
    private readonly config: RateLimitConfig,
    private readonly core: Pick<CoreClient, 'readRefreshToken' | 'isResponding' | 'ping'>,
    clock: Clock,
  ) {
    this.warning = new OccasionalWarning(clock);
  }

  /**
   * Runs a refresh if the limiter allows it. It reads no session before, because a refused attempt must cause no call of the
   * store. In an outage that is known, attempts share one look whether it is over and are not shown to the limiter; one that
   * meets an outage is given back.
   */
  async refresh<T>(refreshToken: string, userContext: UserContext, work: () => Promise<T>): Promise<T> {
    if (this.core.isResponding !== true) await this.pinging.run();
    const giveBack = await this.beforeRefresh(refreshToken, userContext);
    try {
      return await work();
    } catch (error) {
      if (
        giveBack !== undefined &&
        error instanceof CoreUnavailableError &&
        !(error instanceof StoreFullError)
      )
        await this.return(giveBack);
      throw error;
    }
  }

  private async beforeRefresh(refreshToken: string, userContext: UserContext): Promise<GiveBack> {
    const { sessionHandle, recipeUserId } = (await this.core.readRefreshToken(refreshToken)) ?? {};
    return this.check({
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
    // A client whose token runs out in an outage cannot get another one.
    if (reason === 'TRY_REFRESH_TOKEN' && this.core.isResponding === false) return;
    await this.check({ kind: 'failed-verify', ...readAddresses(userContext), reason, userContext });
  }

  private async check(attempt: RateLimitedAttempt): Promise<GiveBack> {
    const decision = await this.decide(attempt);
    if (!decision.allowed) throw new RateLimitedError(decision.retryAfterSec);
    return decision.giveBack;
  }

  private async return(giveBack: () => unknown): Promise<void> {
    await this.inTime(giveBack).catch((error: unknown) => this.warn(error, 'an attempt stays counted'));
  }

  private async inTime<T>(call: () => T | Promise<T>): Promise<T> {
    const { timeoutMs } = this.config;
    return withTimeout((async () => call())(), timeoutMs, `It took longer than ${timeoutMs} ms`);
  }

  private async decide(attempt: RateLimitedAttempt): Promise<RateLimitDecision> {
    try {
      return parseDecision(await this.inTime(async () => this.config.limiter(attempt)));
    } catch (error) {
      this.warn(
        error,
        this.config.whenUnavailable === 'allow' ? 'attempts go on uncounted' : 'attempts are refused',
      );
      if (this.config.whenUnavailable === 'allow') return { allowed: true };
      throw new CoreUnavailableError('The rate limiter gave no decision', { cause: error });
    }
  }

  private warn(error: unknown, consequence: string): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
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
  const { allowed, retryAfterSec, giveBack } = (decision ?? {}) as Readonly<Record<string, unknown>>;
  if (allowed === true && (giveBack === undefined || typeof giveBack === 'function'))
    return { allowed, giveBack: giveBack as GiveBack };
  if (
    allowed === false &&
    typeof retryAfterSec === 'number' &&
    retryAfterSec > 0 &&
    Number.isFinite(retryAfterSec)
  ) {
    return { allowed, retryAfterSec };
  }
  throw new TypeError(
    'The rate limiter must return { allowed: true }, maybe with a function giveBack, or { allowed: false, retryAfterSec: <seconds> }',
  );
}
