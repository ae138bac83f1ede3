import { isSafeAddress } from '../util/hosts.js';
import { listOf, text, wholeNumber } from './option-checks.js';
import {
  group,
  isOptionsObject,
  option,
  required,
  type Check,
  type OptionsOf,
  type Resolved,
} from './option-table.js';

const ALGORITHMS: readonly string[] = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA'.split(
  ' ',
);

const notEmpty: Check<string> = text((given) => {
  if (given === '') throw new Error('a text that is not empty is expected');
  return given;
});

const clientIds: Check<string | readonly string[], readonly string[]> = (value, place) =>
  listOf<string>((each) => typeof each === 'string' && each !== '', 'a client id, or several, is expected')(
    typeof value === 'string' ? [value] : value,
    place,
  );

const keysAddress: Check<string> = text((url) => {
  if (isSafeAddress(url)) return url;
  throw new Error('an https: address without a user is expected, or http: on a loopback address');
});

/**
 * The public keys of a provider, as its `jwks_uri` returns them.
 *
 * @publicApi
 */
export interface ProviderKeys {
  readonly keys: readonly object[];
}

const keySet: Check<ProviderKeys> = (value) => {
  const keys: unknown = isOptionsObject(value) ? value['keys'] : undefined;
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isOptionsObject))
    throw new Error('a JSON Web Key Set is expected: { keys: […] }');
  if (keys.some((key) => 'd' in key || 'k' in key))
    throw new Error('public keys are expected, and one of these is private');
  return { keys };
};

/** The options of one provider in `backChannelLogout.providers`. */
export const LOGOUT_PROVIDER_OPTIONS = {
  /** The issuer, exactly as its ID tokens have it in `iss`. */
  issuer: required(notEmpty, 'the iss of the provider’s ID tokens is expected'),
  /** The application's client id at the provider, or several: `aud` of the logout tokens. */
  clientId: required(clientIds, 'the id that the application has at the provider is expected'),
  /**
   * Address of the provider's keys, `jwks_uri` of its discovery document: `https:`, or `http:` on a loopback address. Redirects are
   * failures.
   * @defaultValue none: `keys` is needed
   */
  jwksUri: option(keysAddress),
  /**
   * The provider's public keys, if they are not to be fetched.
   * @defaultValue none: `jwksUri` is needed
   */
  keys: option(keySet),
  /**
   * The algorithms that the provider signs with, of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA.
   * @defaultValue `['RS256']` alone
   */
  algorithms: option(
    listOf<string>(
      (name) => ALGORITHMS.some((each) => each === name),
      `an array of some of ${ALGORITHMS.join(', ')} is expected`,
    ),
    ['RS256'],
  ),
};

/**
 * An OpenID provider that tells the application when its users sign out there.
 *
 * @publicApi
 */
export interface LogoutProvider extends OptionsOf<typeof LOGOUT_PROVIDER_OPTIONS> {}

/** The same after reading. */
export type LogoutProviderSettings = Resolved<typeof LOGOUT_PROVIDER_OPTIONS>;

const provider = group(LOGOUT_PROVIDER_OPTIONS, 'an object with issuer and clientId');

const providers: Check<readonly LogoutProvider[], readonly LogoutProviderSettings[]> = (value, place) => {
  if (!Array.isArray(value) || value.length === 0) throw new Error('an array of providers is expected');
  const read = value.flatMap((each: unknown, index) => {
    const path = `${place.path}[${index}]`;
    const settings = provider(each, { ...place, path });
    if (settings !== undefined && (settings.jwksUri === undefined) === (settings.keys === undefined))
      place.problems.push({
        path,
        message: 'needs either jwksUri or keys: the keys that tokens are verified with',
      });
    return settings ?? [];
  });
  const issuers = read.map(({ issuer }) => issuer);
  const twice = issuers.find((issuer, index) => issuers.indexOf(issuer) !== index);
  if (twice !== undefined)
    throw new Error('two providers have one issuer: give one of them several clientIds');
  return read;
};

/** The options in `backChannelLogout`. */
export const BACK_CHANNEL_LOGOUT_OPTIONS = {
  /** The providers; each issuer once. */
  providers: required(providers, 'the OpenID providers that users sign in at are expected'),
  /**
   * Seconds after its `iat` until which a logout token is accepted, whatever its `exp` says; 10 to 3600.
   * @defaultValue 300
   */
  maxAgeSec: option(wholeNumber(10, 3600), 300),
  /**
   * Seconds by which the clock of a provider may differ; 0 to 60.
   * @defaultValue 10
   */
  clockToleranceSec: option(wholeNumber(0, 60), 10),
  /**
   * How long a provider's keys may take, milliseconds; 100 to 30,000. Beyond it the response is 503, and the provider tries again.
   * @defaultValue 5000
   */
  jwksTimeoutMs: option(wholeNumber(100, 30_000), 5000),
};

/**
 * Which OpenID providers may end sessions.
 *
 * @publicApi
 */
export interface BackChannelLogoutOptions extends OptionsOf<typeof BACK_CHANNEL_LOGOUT_OPTIONS> {}

/** The option after reading; undefined is off. */
export type BackChannelLogoutSettings = Resolved<typeof BACK_CHANNEL_LOGOUT_OPTIONS>;

const read = group(BACK_CHANNEL_LOGOUT_OPTIONS, 'false or an object with providers');

/** Accepts `false`, or an object with providers. */
export const backChannelLogout: Check<
  false | BackChannelLogoutOptions,
  BackChannelLogoutSettings | undefined
> = (value, place) => (value === false ? undefined : read(value, place));
