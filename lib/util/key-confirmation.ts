import { isJsonObject, ownMember, type JsonObject } from './json.js';

/** The payload name that says which key the holder of a token must have. @see RFC 7800 section 3 */
export const CONFIRMATION_CLAIM = 'cnf';

/** The place in the user context that holds the {@link BindingKind}s whose proof is asked for. */
export const BINDING_KINDS = 'bindingKinds';

/** How the holder of a bound token proves the key: the browser by itself (DBSC), or the client with each request (DPoP). */
export type BindingKind = 'dbsc' | 'dpop';

/** The key that a session is bound to, as its access tokens name it in {@link CONFIRMATION_CLAIM}. */
export interface KeyConfirmation {
  /** Thumbprint of the public key by SHA-256, base64url. @see RFC 7638, RFC 9449 section 6.1 */
  readonly jkt: string;
  readonly via: BindingKind;
  /** The public key itself, where the server verifies proofs without one in them. @see RFC 7800 section 3.2 */
  readonly jwk?: JsonObject;
  /** When the session was bound, seconds since the epoch. */
  readonly boundAt: number;
  /** True once the browser has shown that the response to its registration arrived. */
  readonly confirmed?: true;
}

/** Returns the key that a payload names; undefined if there is none, or if the application put it there. */
export function readConfirmation(payload: JsonObject): KeyConfirmation | undefined {
  const claim = ownMember(payload, CONFIRMATION_CLAIM);
  if (!isJsonObject(claim)) return undefined;
  const { jkt, via, jwk, boundAt, confirmed } = claim;
  if (typeof jkt !== 'string' || (via !== 'dbsc' && via !== 'dpop') || typeof boundAt !== 'number')
    return undefined;
  return {
    jkt,
    via,
    boundAt,
    ...(isJsonObject(jwk) ? { jwk } : {}),
    ...(confirmed === true ? { confirmed } : {}),
  };
}

/** Returns the claim for a payload. */
export function confirmationClaim(confirmation: KeyConfirmation): JsonObject {
  return { [CONFIRMATION_CLAIM]: { ...confirmation } };
}
