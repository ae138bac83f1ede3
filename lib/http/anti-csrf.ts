import type { AntiCsrfMode, TokenTransferMethod } from '../options/wire-options.js';

/** A cookie request without the `rid` header although the mode asks for one. */
export type CustomHeaderMissing = 'CUSTOM_HEADER_MISSING';

/**
 * Whether verification has to compare the anti-CSRF token. Only cookies are ever checked: a browser does not attach a
 * bearer token by itself. Unless the route says otherwise every method but GET is checked, HEAD included.
 *
 * @param input.transferMethod how the access token came; undefined when there was none
 * @param input.requested the route's `antiCsrfCheck`
 * @returns the flag for the recipe's `getSession`; a satisfied custom header turns it off
 * @see docs/protocol/sdk.md §5.2 G7-G9
 */
export function decideAntiCsrfOnVerify(input: {
  readonly mode: AntiCsrfMode;
  readonly method: string;
  readonly transferMethod: TokenTransferMethod | undefined;
  readonly requested: boolean | undefined;
  readonly hasCustomHeader: boolean;
}): { readonly check: boolean } | CustomHeaderMissing {
  const check = input.transferMethod === 'cookie' && (input.requested ?? input.method !== 'get');
  if (!check || input.mode !== 'VIA_CUSTOM_HEADER') return { check };
  return input.hasCustomHeader ? { check: false } : 'CUSTOM_HEADER_MISSING';
}

/**
 * Whether a refresh goes to the core with its anti-CSRF check switched off.
 *
 * @returns `disableAntiCsrf` for the recipe's `refreshSession`; the core checks only under `VIA_TOKEN`
 * @see docs/protocol/sdk.md §5.3 R6-R7
 */
export function decideAntiCsrfOnRefresh(input: {
  readonly mode: AntiCsrfMode;
  readonly transferMethod: TokenTransferMethod;
  readonly hasCustomHeader: boolean;
}): { readonly disableAntiCsrf: boolean } | CustomHeaderMissing {
  if (input.transferMethod === 'header') return { disableAntiCsrf: true };
  if (input.mode !== 'VIA_CUSTOM_HEADER') return { disableAntiCsrf: false };
  return input.hasCustomHeader ? { disableAntiCsrf: true } : 'CUSTOM_HEADER_MISSING';
}
