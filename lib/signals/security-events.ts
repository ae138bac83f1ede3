import type { KeyObject } from 'node:crypto';
import { ENDED_BY_USER, type AuditRecord } from '../audit/audit-record.js';
import { DeliveryError, type AuditDelivery } from '../audit/delivery.js';
import { loadJose } from '../tokens/key-pairs.js';
import type { JsonObject } from '../util/json.js';
import { assertDeliveryUrl, postOnce, readMaxAttempts } from './post.js';

/** @see CAEP 1.0, 3.1 */
const SESSION_REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';
const ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];

/**
 * The receiver of security events, and the key that they are signed with.
 *
 * @publicApi
 */
export interface SecurityEventsOptions {
  /** The address that events are pushed to: `https:`, or `http:` on a loopback address. */
  readonly url: string;
  /** `iss` of the events, as the receiver knows the application. */
  readonly issuer: string;
  /** `aud` of the events. */
  readonly audience: string;
  /**
   * The application's own key, of which the receiver has the public half. The interoperability profile of Shared Signals asks for
   * RS256 with at least 2048 bits.
   */
  readonly key: {
    readonly privateKey: KeyObject;
    readonly kid: string;
    readonly algorithm: 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA';
  };
  /** Returns the value of the header `Authorization` for each attempt. Default: there is none. */
  readonly authorization?: () => Promise<string> | string;
  /** Names the delivery; needed where there are several. Default `security-events`. */
  readonly name?: string;
  /** Also sends sessions whose time was over. Default false. */
  readonly includesExpired?: boolean;
  /** How often an event is tried before it is given up, 1 to 100. Default 10. */
  readonly maxAttempts?: number;
}

/**
 * Tells another application that sessions have ended, as CAEP `session-revoked` in a Security Event Token (RFC 8417) that is pushed
 * (RFC 8935). A response of 200, 202 or 204 accepts it, 400 gives it up, anything else is tried again. The subject names session, user
 * and tenant, as far as the record does; the cut-off of a tenant has the tenant alone. One of everybody is not sent itself, because an event
 * needs a subject: its sessions are, as they are removed.
 *
 * @throws {TypeError} an option is wrong
 * @publicApi
 */
export function securityEvents(options: SecurityEventsOptions): AuditDelivery {
  const { url, name = 'security-events', includesExpired = false, maxAttempts, key } = options;
  assertDeliveryUrl('securityEvents', url);
  if (!ALGORITHMS.includes(key.algorithm))
    throw new TypeError(`securityEvents: key.algorithm: one of ${ALGORITHMS.join(', ')} is expected`);
  return {
    name,
    ...readMaxAttempts('securityEvents', maxAttempts),
    wants: (record) =>
      record.kind === 'session.revoked' ||
      (record.kind === 'session.expired' && includesExpired) ||
      (record.kind === 'sessions.ended-before' && record.tenantId !== undefined),
    deliver: async (record, signal) => {
      const body = await signSecurityEvent(toSecurityEvent(record, options), key);
      const authorization = await options.authorization?.();
      const headers = {
        'content-type': 'application/secevent+jwt',
        accept: 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
      };
      const { status, retryAfterMs, text } = await postOnce(url, { headers, body, signal });
      if (status === 202 || status === 200 || status === 204) return;
      const isFinal = status === 400;
      throw new DeliveryError(`The receiver responded with ${status}${isFinal ? reasonIn(text) : ''}`, {
        isFinal,
        retryAfterMs,
      });
    },
  };
}

/** Returns the claims of a record's event. It has no `exp` and no `sub`, because a receiver could take it for another kind of token. */
function toSecurityEvent(record: AuditRecord, { issuer, audience }: SecurityEventsOptions): JsonObject {
  const { id, timeMs, sessionHandle, tenantId, userId = record.recipeUserId, reason } = record;
  const subject: JsonObject = {
    format: 'complex',
    ...(sessionHandle === undefined ? {} : { session: { format: 'opaque', id: sessionHandle } }),
    ...(userId === undefined ? {} : { user: { format: 'iss_sub', iss: issuer, sub: userId } }),
    ...(tenantId === undefined ? {} : { tenant: { format: 'opaque', id: tenantId } }),
  };
  const seconds = Math.floor(timeMs / 1000);
  return {
    iss: issuer,
    aud: audience,
    jti: id,
    iat: seconds,
    sub_id: subject,
    events: {
      [SESSION_REVOKED]: {
        event_timestamp: seconds,
        initiating_entity: initiatingEntity(record),
        ...(reason === undefined ? {} : { reason_admin: { en: reason } }),
      },
    },
  };
}

/** A login of an account that is linked to another one has an id of its own, so the reason tells, too. */
function initiatingEntity({ initiator, reason, userId, recipeUserId }: AuditRecord): string {
  if (initiator === undefined) return 'system';
  const isUser =
    initiator === userId || initiator === recipeUserId || ENDED_BY_USER.some((each) => each === reason);
  return isUser ? 'user' : 'admin';
}

async function signSecurityEvent(
  claims: JsonObject,
  { privateKey, kid, algorithm }: SecurityEventsOptions['key'],
): Promise<string> {
  const { CompactSign } = await loadJose();
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: algorithm, kid, typ: 'secevent+jwt' })
    .sign(privateKey);
}

/** @see RFC 8935, 2.4 */
function reasonIn(text: string): string {
  const [, code] = /"err"\s*:\s*"([a-z_]{1,40})"/.exec(text) ?? [];
  return code === undefined ? '' : `: ${code}`;
}
