import { SessionConfigError, type ConfigProblem } from '../options/config-error.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import {
  audience,
  callback,
  hasMethod,
  issuers,
  numberBetween,
  objectWith,
  oneOf,
  origins,
  seconds,
  text,
  trueOrFalse,
  wholeNumber,
} from '../options/option-checks.js';
import {
  isOptionsObject,
  option,
  readOptions,
  show,
  type Check,
  type OptionsObject,
  type OptionsOf,
  type Resolved,
} from '../options/option-table.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import { parsePublicKeys } from '../tokens/published-keys.js';
import { DEFAULT_MAX_CACHED_TOKEN_BYTES } from '../tokens/token-verifier.js';
import { SystemClock, type Clock } from '../util/clock.js';
import { isJsonObject } from '../util/json.js';
import type { PublicJwk } from '../util/verification-keys.js';

import type { RevocationSource } from './followed-revocations.js';
import { webAddress } from './web-address.js';
import type { FetchFunction } from './web-fetch.js';

const origin: Check<string> = (value, place) => {
  const url = new URL(webAddress(value, place));
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw new Error('an origin without a path is expected: https://api.example.com');
  return url.origin;
};

const path = text((given) => {
  const trimmed = given.replace(/\/$/, '');
  if (trimmed !== '' && !/^\/[^\s?#;]*$/.test(trimmed))
    throw new Error('a path is expected, as /auth, or / for none');
  return trimmed;
});

/** Accepts a JWKS, or its keys. */
const publishedKeys: Check<{ readonly keys: readonly PublicJwk[] } | readonly PublicJwk[], PublicJwk[]> = (
  value,
) => {
  const set: unknown = Array.isArray(value) ? { keys: value } : value;
  if (!isJsonObject(set)) throw new Error('a JWKS is expected: { keys: […] }');
  return parsePublicKeys(set);
};

const validators: Check<readonly SessionClaimValidator[]> = (value) => {
  if (Array.isArray(value) && value.every((item) => hasMethod(item, 'validate')))
    return value as SessionClaimValidator[];
  throw new Error('an array of claim validators is expected: [UserRoleClaim.validators.includes("admin")]');
};

const cookieName = text((name) => {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw new Error('the name of a cookie is expected');
  return name;
});

/** The options of `createSessionVerifier`. */
export const VERIFIER_OPTIONS = {
  /**
   * Origin of the API that signs in and refreshes: `https://api.example.com`. Its keys are read at
   * `<apiDomain><apiBasePath>/jwt/jwks.json`. One of `apiDomain`, `jwksUri` and `keys` is required.
   * @defaultValue none
   */
  apiDomain: option(origin),
  /**
   * The `apiBasePath` of the API, with its `apiGatewayPath` in front; `/` for none.
   * @defaultValue `/auth`
   */
  apiBasePath: option(path, '/auth'),
  /**
   * Address of the published keys, where they are not below `apiDomain`: that of a core for example,
   * `http://core.internal:3567/.well-known/jwks.json`.
   * @defaultValue that of the API
   */
  jwksUri: option(webAddress),
  /**
   * The published keys themselves, where nothing is to be fetched. They never change then: a key that rotates is unknown
   * here until the process starts with it.
   * @defaultValue none: they are fetched
   */
  keys: option(publishedKeys),
  /**
   * Age in seconds from which the keys are fetched again before a token is judged; at least 1. More than a minute counts as a
   * minute, because a key that was removed verifies for as long. While they cannot be fetched, the keys at hand go on.
   * @defaultValue 60
   */
  jwksRefreshIntervalSec: option(seconds, 60),
  /**
   * The kind of key that access tokens must be signed with, as in `SessionModule`: true for the rotating ones (`d-…`).
   * @defaultValue true
   */
  useDynamicAccessTokenSigningKey: option(trueOrFalse, true),
  /**
   * Accepted issuers: `iss` must be one of these, exactly. Other sessions get 401.
   * @defaultValue not checked
   */
  accessTokenIssuers: option(issuers),
  /**
   * Required audience: `aud` must be this text, or a list with it. Other tokens get 401.
   * @defaultValue not checked
   */
  accessTokenAudience: option(audience),
  /**
   * Seconds by which the clock here may differ from that of the API; 0 to 60.
   * @defaultValue 0
   */
  clockToleranceSec: option(numberBetween(0, 60), 0),

  /**
   * The places that a token may come from.
   * @defaultValue `any`: the `Authorization` header, and the cookie where it has none of ours
   */
  tokenTransferMethod: option(oneOf<TokenTransferMethod | 'any'>('any', 'cookie', 'header'), 'any'),
  /**
   * Name of the access token's cookie. With `cookieNamePrefixes` at the API it is `__Host-sAccessToken` or
   * `__Secure-sAccessToken`.
   * @defaultValue `sAccessToken`
   */
  cookieName: option(cookieName, 'sAccessToken'),
  /**
   * Path of the access token's cookie, as at the API.
   * @defaultValue `/`
   */
  accessTokenPath: option(
    text((given) => given.replace(/(.)\/$/, '$1')),
    '/',
  ),
  /**
   * Protection of cookie requests against cross-site forgery, as the API has it. `VIA_TOKEN`: the `anti-csrf` header.
   * `VIA_CUSTOM_HEADER`: any `rid` header, which the browser client sends. `NONE`: by `crossSiteRequests` and SameSite alone.
   * @defaultValue `VIA_CUSTOM_HEADER`, because SameSite is not known here
   */
  antiCsrf: option(oneOf('VIA_TOKEN', 'VIA_CUSTOM_HEADER', 'NONE'), 'VIA_CUSTOM_HEADER'),
  /**
   * Origin of the website. Its pages may change state by cookie from another site, too.
   * @defaultValue none: pages of the same site, of the API and of the host that is called
   */
  websiteDomain: option(origin),
  /**
   * The only origins whose browsers may change state by cookie, as in `SessionModule`.
   * @defaultValue by `crossSiteRequests`
   */
  allowedOrigins: option(origins),
  /**
   * Whether pages of other sites may change state by cookie, as in `SessionModule`. A browser without `Sec-Fetch-Site` is judged by
   * its exact `Origin`: that of `websiteDomain`, of the API, or of the host that is called.
   * @defaultValue `refuse`
   */
  crossSiteRequests: option(oneOf('refuse', 'allow'), 'refuse'),

  /**
   * Checks that every verification runs, each with the payload of the token. Values that a validator fetches again count for this
   * request only, because nothing is stored here.
   * @defaultValue none
   */
  claims: option(validators, []),
  /**
   * The feed that tells at once which sessions have ended: `servedRevocations({ url, apiKey })`. Its server is also asked about tokens
   * at their first use after a refresh.
   * @defaultValue none: an ended session is accepted until its access token expires
   */
  feed: option(objectWith<RevocationSource>(['follow'], 'servedRevocations({ url, apiKey })')),
  /**
   * Sessions that are bound to a device (`deviceBound` at the API): their proof cannot be checked here. `refuse`: 401. `accept`:
   * as if they were not bound, so that a copied token works here until it expires.
   * @defaultValue `refuse`
   */
  boundSessions: option(oneOf('refuse', 'accept'), 'refuse'),
  /**
   * Tokens that are remembered as verified; 0 for none.
   * @defaultValue 10,000
   */
  maxCachedTokens: option(wholeNumber(0, 10_000_000), 10_000),
  /**
   * Bytes that they may take, estimated.
   * @defaultValue 33,554,432 (32 MiB)
   */
  maxCachedTokenBytes: option(wholeNumber(0, Number.MAX_SAFE_INTEGER), DEFAULT_MAX_CACHED_TOKEN_BYTES),
  /**
   * The source of the time.
   * @defaultValue the system's clock
   */
  clock: option(objectWith<Clock>(['now'], 'an object with now()'), new SystemClock()),
  /**
   * Replaces `fetch` for the keys and the feed.
   * @defaultValue that of the runtime
   */
  fetch: option(callback<FetchFunction>()),
};

/**
 * The options of `createSessionVerifier`. One of `apiDomain`, `jwksUri` and `keys` is required.
 *
 * @publicApi
 */
export interface SessionVerifierOptions extends OptionsOf<typeof VERIFIER_OPTIONS> {}

/** The options after reading. */
export interface VerifierConfig extends Resolved<typeof VERIFIER_OPTIONS> {
  /** The address of the keys; undefined if they are given. */
  readonly keysAddress: string | undefined;
}

const FUNCTION = 'createSessionVerifier';

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {SessionConfigError} listing every problem at once
 */
export function resolveVerifierOptions(options: SessionVerifierOptions): VerifierConfig {
  const given = givenOptions(options, FUNCTION, '{ apiDomain }');
  const problems: ConfigProblem[] = [];
  const config = readOptions(VERIFIER_OPTIONS, given, problems);
  const { apiDomain, apiBasePath, jwksUri, keys } = config;
  if (given['keys'] === undefined && given['jwksUri'] === undefined && given['apiDomain'] === undefined)
    problems.push({ path: 'apiDomain', message: 'is missing: give it, or jwksUri, or keys' });
  if (keys !== undefined && jwksUri !== undefined)
    problems.push({ path: 'keys', message: 'and jwksUri exclude each other: give one of them' });
  if (problems.length > 0) throw new SessionConfigError(problems, FUNCTION);
  const published = jwksUri ?? `${apiDomain}${apiBasePath}/jwt/jwks.json`;
  return { ...config, keysAddress: keys === undefined ? published : undefined };
}

/**
 * Returns the options of a function of this door.
 *
 * @throws {SessionConfigError} they are no options, so that no single one can be read
 */
export function givenOptions(given: unknown, calledFunction: string, least: string): OptionsObject {
  if (isOptionsObject(given)) return given;
  const message = `are ${show(given)}; at least ${least} is expected`;
  throw new SessionConfigError([{ path: 'options', message }], calledFunction);
}
