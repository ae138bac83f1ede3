import { AuthenticationTimeClaim } from '../claims/authentication-time-claim.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import { UnauthorisedError } from '../errors.js';
import type { SessionRequest } from '../http/session-request.js';
import type { SessionDevice } from '../options/feature-options.js';
import type { UserContext } from '../util/user-context.js';
import type { SessionInformation } from './stored-sessions.interface.js';
import type { SessionContainer } from './session-container.js';
import { endedByUser } from './revoke.js';
import type { SessionRecipe } from './session-recipe.js';

/** Maximum number of sessions in one response. */
const LISTED_SESSIONS = 200;
/** Number of sessions that are looked up in parallel. */
const LOOKUPS_AT_ONCE = 10;

/**
 * One of a user's own sessions, as `GET <base>/sessions` shows it: by its handle, which is no credential.
 *
 * @publicApi
 */
export interface ListedSession {
  readonly sessionHandle: string;
  /** True for the session of the request. */
  readonly isCurrent: boolean;
  /** Milliseconds since the epoch. */
  readonly timeCreated: number;
  /** When it ends unless it is used, milliseconds since the epoch. */
  readonly expiry: number;
  /** The device that the option `devices` keeps; absent without that option. */
  readonly device?: SessionDevice;
  /** How it is bound to a device, see the option `deviceBound`; absent if it is not bound. */
  readonly deviceBound?: 'dbsc' | 'dpop';
  /** The person or the program that uses it for the user; absent if the user does. */
  readonly actorId?: string;
}

/**
 * The body of `GET <base>/sessions`.
 *
 * @publicApi
 */
export interface UserSessionList {
  readonly status: 'OK';
  /** The current session first, then the newest. */
  readonly sessions: readonly ListedSession[];
  /** True if the user has more sessions than the 200 that are listed. */
  readonly hasMore: boolean;
}

/**
 * Lists and ends the user's own sessions, in the tenant of the session of the request. The core confirms that this session
 * still exists, because a session that has ended must not end others.
 */
export class UserSessions {
  private readonly isFresh: SessionClaimValidator;

  constructor(
    private readonly recipe: SessionRecipe,
    { freshWithinSec }: { readonly freshWithinSec: number },
  ) {
    this.isFresh = AuthenticationTimeClaim.validators.freshWithin(freshWithinSec);
  }

  async list(request: SessionRequest): Promise<UserSessionList> {
    const { userContext } = request;
    const session = await this.requireSession(request);
    request.response.setHeader('Cache-Control', 'no-store');
    const handles = await this.recipe.getAllSessionHandlesForUser({
      userId: session.getUserId(),
      tenantId: session.getTenantId(),
      fetchSessionsForAllLinkedAccounts: true,
      userContext,
    });
    const current = session.getHandle();
    const listed = [current, ...handles.filter((handle) => handle !== current)].slice(0, LISTED_SESSIONS);
    const sessions = (await this.lookUp(listed, userContext)).map((information) =>
      show(information, current),
    );
    return { status: 'OK', sessions: sessions.sort(byRelevance), hasMore: handles.length > listed.length };
  }

  /**
   * Ends one session: that of the request as sign-out does, another one only soon after an authentication.
   *
   * @param readSessionHandle called after the session that asks has been verified
   * @returns false when the user has no such session
   * @throws {InvalidClaimsError} it is another one, and the authentication is too long ago
   */
  async revoke(request: SessionRequest, readSessionHandle: () => string): Promise<boolean> {
    const { userContext } = request;
    const session = await this.requireSession(request);
    const sessionHandle = readSessionHandle();
    if (sessionHandle === session.getHandle()) {
      await session.revokeSession(userContext);
      return true;
    }
    await session.assertClaims([this.isFresh], userContext);
    const information = await this.recipe.getSessionInformation({ sessionHandle, userContext });
    const isOwn =
      information?.userId === session.getUserId() && information.tenantId === session.getTenantId();
    if (!isOwn) return false;
    const { userId, recipeUserId } = information;
    const asking = { userId: session.getUserId(), accessTokenPayload: session.getAccessTokenPayload() };
    return this.recipe.revokeSession({
      sessionHandle,
      owner: { userId, recipeUserId },
      userContext,
      ...endedByUser('ended-by-user', asking),
    });
  }

  /**
   * Ends all sessions except that of the request.
   *
   * @returns how many
   * @throws {InvalidClaimsError} the authentication is too long ago
   */
  async revokeOthers(request: SessionRequest): Promise<number> {
    const { userContext } = request;
    const session = await this.requireSession(request);
    await session.assertClaims([this.isFresh], userContext);
    const tenantId = session.getTenantId();
    return (await session.revokeAllOtherSessions({ tenantId }, userContext)).length;
  }

  private async requireSession(request: SessionRequest): Promise<SessionContainer> {
    const session = await this.recipe.verbs.verify.fromRequest(request, { checkDatabase: true });
    if (session === undefined) throw new UnauthorisedError('There is no session', { clearTokens: false });
    return session;
  }

  /** Those that still exist. */
  private async lookUp(
    sessionHandles: readonly string[],
    userContext: UserContext,
  ): Promise<SessionInformation[]> {
    const found: SessionInformation[] = [];
    for (let start = 0; start < sessionHandles.length; start += LOOKUPS_AT_ONCE) {
      const batch = sessionHandles
        .slice(start, start + LOOKUPS_AT_ONCE)
        .map(async (sessionHandle) => this.recipe.getSessionInformation({ sessionHandle, userContext }));
      found.push(...(await Promise.all(batch)).filter((information) => information !== undefined));
    }
    return found;
  }
}

function show(
  { sessionHandle, timeCreated, expiry, device, deviceBound, actorId }: SessionInformation,
  current: string,
): ListedSession {
  return {
    sessionHandle,
    isCurrent: sessionHandle === current,
    timeCreated,
    expiry,
    ...(device === undefined ? {} : { device }),
    ...(deviceBound === undefined ? {} : { deviceBound }),
    ...(actorId === undefined ? {} : { actorId }),
  };
}

function byRelevance(a: ListedSession, b: ListedSession): number {
  return Number(b.isCurrent) - Number(a.isCurrent) || b.timeCreated - a.timeCreated;
}
