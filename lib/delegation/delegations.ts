import type { SharedValues } from '../audit/shared-values.js';
import { CoreBadInputError, UnauthorisedError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import {
  ACTOR_CLAIM,
  isNarrow,
  parentClaim,
  parentHandles,
  readActor,
  type SessionActorClaim,
} from '../util/delegation-claims.js';
import { toJsonObject, type JsonObject } from '../util/json.js';
import { endOfSessionMs, idleLimitMs } from '../util/lifetime-claims.js';
import type { UserContext } from '../util/user-context.js';
import { ChildIndex } from './child-index.js';

/**
 * The person who signs in for another one.
 *
 * @publicApi
 */
export interface SessionActor {
  /** The actor's own session, which names the actor. The new session ends with it. */
  sessionHandle: string;
  /** Further facts about the actor for the claim `act`, a ticket for example; at most 1000 characters of JSON. The client reads them. */
  claims?: object;
}

/**
 * A session for a job or an agent.
 *
 * @publicApi
 */
export interface ChildSessionInput {
  /** The session of the user for whom the child works. The child ends with it. */
  parentSessionHandle: string;
  /** The name of the job or the agent, 1 to 128 characters: `sub` of the claim `act`. Default: the parent's actor, if it has one. */
  actorId?: string;
  /** Names of the parent's payload, or claims, that the child keeps; what the parent lacks is left out. Default: none. */
  claims?: readonly (string | { readonly key: string })[];
  /** Further claims that the child gets. */
  accessTokenPayload?: object;
  /** Kept on the server. Default: empty. */
  sessionDataInDatabase?: object;
  /** Seconds to the end of the child, which is never later than that of its parent. Default 3600. */
  expiresInSec?: number;
  /** As for `createNewSession`. */
  accessTokenValiditySec?: number;
}

/** The claims of a session that another one has made, and its end. */
export interface NewDelegation {
  readonly claims: JsonObject;
  /** Milliseconds since the epoch; undefined: as without a parent. */
  readonly endsAtMs: number | undefined;
  /** Seconds without a refresh after which it ends; undefined: as without a parent. */
  readonly idleSec?: number | undefined;
  /** The session that a sibling goes on from: it has to be there until the sibling is. */
  readonly siblingHandle?: string | undefined;
}

/** The stored facts of a session that others are made from. */
export interface ParentSession {
  readonly sessionHandle: string;
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  readonly expiry: number;
  readonly userDataInJWT: JsonObject;
  readonly userDataInDatabase: JsonObject;
}

/** How a session belongs to the one that a hand-over token came from. */
export type HandOverKind = 'child' | 'sibling';

interface DelegatingCore {
  readonly sharedValues: SharedValues | undefined;
  getSessionInformation(sessionHandle: string, userContext: UserContext): Promise<ParentSession | undefined>;
}

const DEFAULT_CHILD_SEC = 3600;
const MAX_CLAIMS_LENGTH = 1000;
/** Actors in one token, and sessions that one ends with. */
const MAX_DEPTH = 4;
/** Names that are the library's, or that say nothing about a person. @see RFC 8693 section 4.1 */
const REFUSED = ['sub', 'act', 'exp', 'nbf', 'iat', 'aud', 'cnf'];

/** Makes the claims of sessions that end with another one. */
export class Delegations {
  readonly children: ChildIndex;

  constructor(
    private readonly core: DelegatingCore,
    private readonly clock: Clock,
  ) {
    this.children = new ChildIndex(core, clock);
  }

  /**
   * Returns the claims of a session that an actor uses for another user.
   *
   * @throws {UnauthorisedError} the actor's session has ended
   * @throws {CoreBadInputError} the claims cannot be those of an actor, or there would be too many actors
   */
  async forActor({ sessionHandle, claims = {} }: SessionActor): Promise<NewDelegation> {
    const further = readClaims(claims);
    const session = await this.findParent(sessionHandle);
    const before = readActor(session.userDataInJWT);
    return {
      claims: {
        ...toActClaim(actorClaim(session.userId, further, before)),
        ...parentClaim(handlesBelow(session), false),
      },
      endsAtMs: latestEndMs(session),
    };
  }

  /** Returns the claims of a child. @throws {CoreBadInputError} there would be too many actors, or too many sessions one in the other */
  forChild(
    parent: ParentSession,
    { actorId, expiresInSec = DEFAULT_CHILD_SEC }: ChildSessionInput,
  ): NewDelegation {
    const before = readActor(parent.userDataInJWT);
    const actor = actorId === undefined ? before : actorClaim(actorId, {}, before);
    return {
      claims: { ...toActClaim(actor), ...parentClaim(handlesBelow(parent), true) },
      endsAtMs: Math.min(this.clock.now() + expiresInSec * 1000, latestEndMs(parent)),
    };
  }

  /** Returns the claims of a session that goes on where another one stopped: it keeps the limits and the actors of that one. */
  forHandOver(parent: ParentSession, as: HandOverKind): NewDelegation {
    const { userDataInJWT: payload } = parent;
    const handles = as === 'child' ? handlesBelow(parent) : parentHandles(payload);
    const idleMs = idleLimitMs(payload);
    return {
      claims: { ...toActClaim(readActor(payload)), ...parentClaim(handles, isNarrow(payload)) },
      endsAtMs: endOfSessionMs(payload),
      idleSec: idleMs === undefined ? undefined : idleMs / 1000,
      siblingHandle: as === 'sibling' ? parent.sessionHandle : undefined,
    };
  }

  /** @throws {UnauthorisedError} it has ended */
  async findParent(sessionHandle: string): Promise<ParentSession> {
    const session = await this.core.getSessionInformation(sessionHandle, {});
    if (session !== undefined) return session;
    throw new UnauthorisedError('The session that a new one would belong to has ended', {
      clearTokens: false,
    });
  }
}

/** Returns the handles of the sessions that a child of this one ends with. @throws {CoreBadInputError} they are too many */
function handlesBelow({ sessionHandle, userDataInJWT }: ParentSession): string[] {
  const handles = [sessionHandle, ...parentHandles(userDataInJWT)];
  if (handles.length <= MAX_DEPTH) return handles;
  throw new CoreBadInputError(`Sessions can be made from each other ${MAX_DEPTH} times: use an earlier one`);
}

/** Returns the claim of an actor, with the one before. @throws {CoreBadInputError} there would be too many */
function actorClaim(
  sub: string,
  further: JsonObject,
  before: SessionActorClaim | undefined,
): SessionActorClaim {
  const claim = { ...further, sub, ...(before === undefined ? {} : { act: before }) };
  let depth = 1;
  for (let each = before; each !== undefined; each = each.act) depth++;
  if (depth <= MAX_DEPTH) return claim;
  throw new CoreBadInputError(`An actor can stand behind ${MAX_DEPTH - 1} others at most`);
}

function toActClaim(actor: SessionActorClaim | undefined): JsonObject {
  return actor === undefined ? {} : { [ACTOR_CLAIM]: toJsonObject(actor, 'actor') };
}

/**
 * Returns the part of a parent's payload that its child keeps.
 *
 * @param ownNames names that belong to the library
 * @throws {CoreBadInputError} one of them is asked for
 */
export function keptClaims(
  { userDataInJWT: payload }: ParentSession,
  claims: NonNullable<ChildSessionInput['claims']>,
  ownNames: readonly string[],
): JsonObject {
  const names = claims.map((claim) => (typeof claim === 'string' ? claim : claim.key));
  const refused = names.find((name) => ownNames.includes(name));
  if (refused !== undefined)
    throw new CoreBadInputError(
      `claims: "${refused}" belongs to the session itself; name claims of the application`,
    );
  return Object.fromEntries(Object.entries(payload).filter(([name]) => names.includes(name)));
}

/** Returns the facts about an actor as they are stored. @throws {CoreBadInputError} they cannot be */
export function readClaims(claims: object): JsonObject {
  const read = toJsonObject(claims, 'actor.claims');
  const refused = REFUSED.find((name) => Object.hasOwn(read, name));
  if (refused !== undefined)
    throw new CoreBadInputError(`actor.claims cannot carry "${refused}": leave it out`);
  if (JSON.stringify(read).length <= MAX_CLAIMS_LENGTH) return read;
  throw new CoreBadInputError(
    `actor.claims is longer than ${MAX_CLAIMS_LENGTH} characters of JSON: it is part of every access token`,
  );
}

/** Returns when a session ends if it is not refreshed any more, milliseconds since the epoch. */
function latestEndMs({ expiry, userDataInJWT }: ParentSession): number {
  return Math.min(expiry, endOfSessionMs(userDataInJWT) ?? expiry);
}
