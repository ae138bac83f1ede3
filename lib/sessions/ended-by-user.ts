import type { ENDED_BY_USER } from '../audit/audit-record.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import { readActor } from '../util/delegation-claims.js';
import type { SessionState } from './session-state.js';

/**
 * Returns why and by whom a session ends at the wish of the user who holds it: by the actor, if somebody else holds it for the user.
 *
 * @param given by the application, whose words count instead
 */
export function endedByUser(
  reason: (typeof ENDED_BY_USER)[number],
  { userId, accessTokenPayload }: Pick<SessionState, 'userId' | 'accessTokenPayload'>,
  given: RevocationDetails = {},
): RevocationDetails {
  if (given.reason !== undefined || given.initiator !== undefined) return given;
  const actor = readActor(accessTokenPayload);
  return actor === undefined
    ? { reason, initiator: userId }
    : { reason: 'ended-by-actor', initiator: actor.sub };
}
