import { isJsonObject, ownMember, type JsonObject } from './json.js';

/** The payload name of the person or the program that uses a session for its user. @see RFC 8693 section 4.1 */
export const ACTOR_CLAIM = 'act';

/** The payload name of the sessions that a session ends with. */
export const PARENT_CLAIM = 'session_parent';

/** The reason of the end of a session whose parent has ended. */
export const PARENT_ENDED = 'parent-ended';

/**
 * The person or the program that uses a session for its user, as the access token names it.
 *
 * @see RFC 8693 section 4.1
 * @publicApi
 */
export interface SessionActorClaim {
  readonly sub: string;
  /** The actor for whom that one acted. */
  readonly act?: SessionActorClaim;
  /** The application's own facts about the actor. */
  readonly [name: string]: unknown;
}

/**
 * The facts about a delegated session that events, lists and records show; none of an ordinary one.
 *
 * @publicApi
 */
export interface DelegationFacts {
  /** The user id, or the name, of the actor. */
  readonly actorId?: string;
  /** The session that this one ends with. */
  readonly parentSessionHandle?: string;
}

/** Returns the actor that a payload names; undefined if there is none. */
export function readActor(payload: JsonObject): SessionActorClaim | undefined {
  const claim = ownMember(payload, ACTOR_CLAIM);
  return isJsonObject(claim) && typeof claim['sub'] === 'string' ? (claim as SessionActorClaim) : undefined;
}

/** Returns the handles of the sessions that a session ends with, the nearest first; none for an ordinary session. */
export function parentHandles(payload: JsonObject = {}): readonly string[] {
  const handles = readParent(payload)?.['handles'];
  return Array.isArray(handles) ? handles.filter((handle) => typeof handle === 'string') : [];
}

/** Returns whether a session has no more claims than it was given. */
export function isNarrow(payload: JsonObject): boolean {
  return readParent(payload)?.['narrow'] === true;
}

/** Returns whether somebody else than the user holds a session, so that its use proves nothing about the user. */
export function isDelegated(payload: JsonObject): boolean {
  return Object.hasOwn(payload, ACTOR_CLAIM) || isNarrow(payload);
}

/** Returns the claim for a payload. @param handles of the sessions that it ends with, the nearest first */
export function parentClaim(handles: readonly string[], narrow: boolean): JsonObject {
  if (handles.length === 0 && !narrow) return {};
  return { [PARENT_CLAIM]: { handles: [...handles], ...(narrow ? { narrow } : {}) } };
}

export function delegationFacts(payload: JsonObject): DelegationFacts {
  const actorId = readActor(payload)?.sub;
  const [parentSessionHandle] = parentHandles(payload);
  return {
    ...(actorId === undefined ? {} : { actorId }),
    ...(parentSessionHandle === undefined ? {} : { parentSessionHandle }),
  };
}

/** Returns whether all the sessions are there that a session ends with. An ordinary one has none, and costs no call. */
export async function hasLivingParents(core: SessionLookup, payload: JsonObject): Promise<boolean> {
  const found = parentHandles(payload).map(async (handle) => core.getSessionInformation(handle, {}));
  return (await Promise.all(found)).every((information) => information !== undefined);
}

/** The part of a core that knows whether a session is there. */
export interface SessionLookup {
  getSessionInformation(sessionHandle: string, userContext: Record<string, unknown>): Promise<unknown>;
}

function readParent(payload: JsonObject): JsonObject | undefined {
  const claim = ownMember(payload, PARENT_CLAIM);
  return isJsonObject(claim) ? claim : undefined;
}
