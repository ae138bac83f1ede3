import { readSkipReasons } from '../device-binding/structured-header.js';
import { CoreUnavailableError, UnauthorisedError } from '../errors.js';
import type { TransportMark } from '../http/token-transport.js';
import type { SessionDevice } from '../options/feature-options.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';
import { withTimeout } from '../util/with-timeout.js';
import type { RefreshHook } from './recipe-dependencies.js';
import type { LiveRecipeContext } from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

/**
 * A refresh that the option `onRefresh` decides on. The core has accepted it; no token has left yet.
 *
 * @publicApi
 */
export interface RefreshToDecide {
  /** The session, with its new tokens. Changes of its payload are part of the tokens that leave. */
  readonly session: SessionContainer;
  /** As precisely as the option `devices` keeps it; without that option both are undefined. */
  readonly device: {
    /** The device of the last refresh, or of the sign-in before the first one; undefined if none was kept. */
    readonly before: SessionDevice | undefined;
    /** The device that sends this refresh. */
    readonly now: SessionDevice | undefined;
  };
  /** How the session is bound to a device, as the option `deviceBound` demands it; undefined if it is not. */
  readonly deviceBound: 'dbsc' | 'dpop' | undefined;
  /** The reasons for which the browser of a bound session did not renew its cookie (`Secure-Session-Skipped`); usually empty. */
  readonly skipped: readonly string[];
  readonly userContext: UserContext;
}

/**
 * The outcome of a refresh. `allow`, or `undefined`: it goes on. `step-up`: it goes on, and each
 * `AuthenticationTimeClaim.validators.freshWithin` check fails until `session.recordAuthentication()`. `end`: the session ends, and
 * its client is signed out.
 *
 * @publicApi
 */
export type RefreshDecision = 'allow' | 'step-up' | 'end';

/**
 * The option `onRefresh` of the module.
 *
 * @publicApi
 */
export type OnRefresh = (
  refresh: RefreshToDecide,
) => RefreshDecision | void | Promise<RefreshDecision | void>;

/** The way on which the refresh came. */
export interface RefreshOrigin {
  readonly userContext: UserContext;
  /** Undefined where the application calls without a request. */
  readonly mark?: TransportMark;
}

/** Asks the application about each refresh that the core has accepted, and does what it decides. */
export class RefreshDecisions {
  private readonly warning: OccasionalWarning;

  constructor(
    private readonly context: LiveRecipeContext,
    private readonly hook: RefreshHook,
  ) {
    this.warning = new OccasionalWarning(context.clock);
  }

  /**
   * Decides about a refresh, before its tokens leave. A refusal loses no token: until the new tokens are used, the core accepts
   * the old one again.
   *
   * @throws {UnauthorisedError} the session was ended
   * @throws {CoreUnavailableError} the hook gave no decision: it is neither known that the refresh may go on, nor that it may not
   */
  async apply(session: SessionContainer, origin: RefreshOrigin): Promise<void> {
    const decision = await this.decide(session, origin.userContext);
    if (decision === 'step-up')
      await session.changeTokens(async (accessToken) =>
        this.context.requireAuthentication(accessToken, origin.userContext),
      );
    if (decision === 'end') await this.end(session, origin);
    this.assertNotEnded(session, origin);
  }

  /** A hook may have ended the session by itself: without this its client would get a 200 without tokens. */
  private assertNotEnded(session: SessionContainer, { mark }: RefreshOrigin): void {
    if (this.isLate(session, mark))
      throw new UnauthorisedError('The session has ended while its refresh was decided on');
  }

  /** Returns whether the session has ended, or its client has signed in anew, since the refresh began; false without a request. */
  private isLate(session: SessionContainer, mark: TransportMark | undefined): boolean {
    return (
      mark !== undefined && this.context.transport.isLateFor({ sessionHandle: session.getHandle(), mark })
    );
  }

  private async decide(session: SessionContainer, userContext: UserContext): Promise<RefreshDecision> {
    const { timeoutMs } = this.hook;
    const refresh = await this.describe(session, userContext);
    try {
      const decision = await withTimeout(
        (async () => this.hook.decide(refresh))(),
        timeoutMs,
        `It took longer than ${timeoutMs} ms`,
      );
      return parseDecision(decision);
    } catch (error) {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.warning.warn('The hook onRefresh fails: refreshes get 503', detail);
      throw new CoreUnavailableError('The hook onRefresh gave no decision', { cause: error });
    }
  }

  private async describe(session: SessionContainer, userContext: UserContext): Promise<RefreshToDecide> {
    const { binding } = this.context;
    const deviceBound = binding?.kindOf(session.getAccessTokenPayload());
    const request = deviceBound === 'dbsc' ? getRequestFromUserContext(userContext) : undefined;
    return {
      session,
      device: await this.devices(session, userContext),
      deviceBound,
      skipped: request === undefined ? [] : readSkipReasons(request),
      userContext,
    };
  }

  private async devices(
    session: SessionContainer,
    userContext: UserContext,
  ): Promise<RefreshToDecide['device']> {
    const { devices, core } = this.context;
    if (!devices.isOn) return { before: undefined, now: undefined };
    const stored = await core.getSessionInformation(session.getHandle(), userContext);
    return {
      before: stored && devices.lastRefreshing(stored.userDataInDatabase),
      now: devices.present(userContext),
    };
  }

  private async end(session: SessionContainer, { mark, userContext }: RefreshOrigin): Promise<never> {
    const { recipe, lifetimes } = this.context;
    const { sessionHandle, userId, recipeUserId } = session.toJSON();
    // Looked at before the session ends here: while the hook was busy, the client may have signed in anew.
    const isLate = this.isLate(session, mark);
    await recipe.revokeSession({
      sessionHandle,
      owner: { userId, recipeUserId },
      userContext,
      reason: 'risk',
      initiator: 'policy',
    });
    const error = new UnauthorisedError('The hook onRefresh has ended the session', { clearTokens: !isLate });
    lifetimes.noteEnd(error);
    throw error;
  }
}

/** @throws {TypeError} it is none */
function parseDecision(decision: unknown): RefreshDecision {
  if (decision === undefined) return 'allow';
  if (decision === 'allow' || decision === 'step-up' || decision === 'end') return decision;
  throw new TypeError("onRefresh must return 'allow', 'step-up', 'end' or undefined");
}
