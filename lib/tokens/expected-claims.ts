import type { JsonObject } from '../util/json.js';

/** The accepted issuers and the required audience; an undefined member disables its check. */
export interface ExpectedClaims {
  /** The accepted values of `iss`. */
  readonly issuers?: readonly string[] | undefined;
  /** The value that `aud` must be or contain. */
  readonly audience?: string | undefined;
}

/**
 * Checks issuer and audience of a genuine token. Values are compared exactly, because a prefix, another case or a
 * further slash names another party.
 *
 * @returns the claim that fails, or undefined if both fit
 * @see docs/security-requirements.md S009; RFC 9068 section 4
 */
export function findForeignClaim(
  payload: JsonObject,
  { issuers, audience }: ExpectedClaims,
): 'iss' | 'aud' | undefined {
  if (issuers !== undefined && !includesIssuer(payload['iss'], issuers)) return 'iss';
  if (audience !== undefined && !readAudiences(payload['aud']).includes(audience)) return 'aud';
  return undefined;
}

/** `iss` must be a string; an array is refused (RFC 7519 4.1.1). */
function includesIssuer(iss: JsonObject[string] | undefined, issuers: readonly string[]): boolean {
  return typeof iss === 'string' && issuers.includes(iss);
}

/** `aud` is a string or an array of strings (RFC 7519 4.1.3); any other value counts as no audience. */
function readAudiences(aud: JsonObject[string] | undefined): readonly unknown[] {
  if (!Array.isArray(aud)) return [aud];
  return aud.every((name) => typeof name === 'string') ? aud : [];
}
