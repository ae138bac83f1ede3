import type { JsonObject } from '../util/json.js';

/** Whose tokens count and for whom they must be made. What is undefined is not asked for. */
export interface IntendedTokens {
  /** `iss` must be one of them. */
  readonly issuers?: readonly string[] | undefined;
  /** `aud` must name it. */
  readonly audience?: string | undefined;
}

/**
 * The claim that says that a token, genuine as it may be, is none of those. Texts are compared exactly: no prefix, no other
 * case, no slash more or less.
 *
 * @returns undefined where nothing speaks against it
 * @see docs/security-requirements.md S009; RFC 9068 section 4
 */
export function findForeignClaim(
  payload: JsonObject,
  { issuers, audience }: IntendedTokens,
): 'iss' | 'aud' | undefined {
  if (issuers !== undefined && !includesIssuer(payload['iss'], issuers)) return 'iss';
  if (audience !== undefined && !readAudiences(payload['aud']).includes(audience)) return 'aud';
  return undefined;
}

/** A list of issuers is none, even with the right one in it. */
function includesIssuer(iss: JsonObject[string] | undefined, issuers: readonly string[]): boolean {
  return typeof iss === 'string' && issuers.includes(iss);
}

/** One text or a list of nothing but texts (RFC 7519 4.1.3); anything else names nobody. */
function readAudiences(aud: JsonObject[string] | undefined): readonly unknown[] {
  if (!Array.isArray(aud)) return [aud];
  return aud.every((name) => typeof name === 'string') ? aud : [];
}
