import type { HttpRequest } from '../util/http-exchange.js';

/** Longer than any token and than what Node accepts by default; work on the value ends here. */
export const MAX_CREDENTIAL_LENGTH: number = 16 * 1024;

/** A token of a request's `Authorization` header. */
export interface Authorization {
  /** `DPoP` says that a proof comes with the token. @see RFC 9449 section 7.1 */
  readonly scheme: 'Bearer' | 'DPoP';
  /** As sent; it may be empty. */
  readonly token: string;
}

/**
 * Reads the `Authorization` header. Tokens under `DPoP` are read without the option `deviceBound`, too, so that switching it off
 * signs nobody out.
 *
 * @returns undefined when there is none, when the scheme is another one (`Bearer` is read in this spelling only, as by
 *   SuperTokens), or when it exceeds 16 kB
 */
export function readAuthorization(request: HttpRequest): Authorization | undefined {
  const value = request.getHeaderValue('authorization');
  if (value === undefined || value.length > MAX_CREDENTIAL_LENGTH) return undefined;
  if (value.startsWith('Bearer ')) return { scheme: 'Bearer', token: value.slice('Bearer '.length).trim() };
  if (/^dpop /i.test(value)) return { scheme: 'DPoP', token: value.slice('DPoP '.length).trim() };
  return undefined;
}
