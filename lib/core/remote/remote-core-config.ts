import type { ConfigProblem } from '../../options/config-error.js';
import { callback, oneOf, secret, trueOrFalse, wholeNumber } from '../../options/option-checks.js';
import {
  option,
  readOptions,
  required,
  type Check,
  type OptionsOf,
  type Resolved,
} from '../../options/option-table.js';
import { SPOKEN_CDI_VERSIONS } from './cdi-version.js';
import { isPrivateConnection, parseConnectionUri, type CoreHost } from './host-pool.js';
import type { NetworkInterceptor } from './http-transport.js';

/**
 * Name of the option of `remoteCore` that lets an API key travel unencrypted. Only for networks without
 * eavesdroppers: a reader of the key can create sessions for every user.
 *
 * @example
 * remoteCore({ connectionURI: 'http://core:3567', apiKey, [allowInsecureConnection]: true })
 * @publicApi
 */
export const allowInsecureConnection: unique symbol = Symbol('allowInsecureConnection');

const ADDRESS_EXPECTED = 'give the address of the core, http://localhost:3567 for example';

const hosts: Check<string, CoreHost[]> = (value) => {
  if (typeof value !== 'string') throw new Error(`is no text: ${ADDRESS_EXPECTED}`);
  try {
    return parseConnectionUri(value);
  } catch (error) {
    throw new Error(`does not work: ${(error as Error).message}; ${ADDRESS_EXPECTED}`, { cause: error });
  }
};

const apiKey: Check<string | undefined, string> = (value) => {
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return value;
  throw new Error('must be text of visible ASCII characters without blanks');
};

/** The options of `remoteCore`. */
export const REMOTE_CORE_OPTIONS = {
  /**
   * Address of the core: `https://core.example.com`. Several hosts of one core are separated by `;` and share the load;
   * each may have a base path and the id of an app, `https://core.example.com/base/appid-shop`. Without a scheme, local
   * names and IP addresses get `http://`, other names `https://`.
   */
  // Secret because a URI may carry a password.
  connectionURI: required(secret(hosts), ADDRESS_EXPECTED),
  /**
   * One of the core's `api_keys`, sent with every call but the loading of the published keys. Over plain http only to this
   * machine, unless {@link allowInsecureConnection} is set.
   * @defaultValue none
   */
  apiKey: option(secret(apiKey)),
  /**
   * Sees and may change each request to the core.
   * @defaultValue none
   */
  networkInterceptor: option(callback<NetworkInterceptor>()),
  /**
   * How long one host has for a call, from connecting to the end of its response, milliseconds; 1 to 600,000. A call that may
   * be repeated then goes to the next host, so a call can last as many times longer as there are hosts; each refusal by rate
   * limiting (status 429) adds up to 1 s, at most 2.55 s for each host. The first call is preceded by one for the version,
   * under the same limits.
   * @defaultValue 10,000
   */
  requestTimeoutMs: option(wholeNumber(1, 600_000), 10_000),
  /**
   * Bytes of a response after which it is given up; at least 1024.
   * @defaultValue 1,048,576
   */
  maxResponseBytes: option(wholeNumber(1024, 2 ** 31), 1_048_576),
  /**
   * `true`: each read calls the core. `false`: equal reads of one user context (normally one request) share a response until
   * a write goes through the same user context.
   * @defaultValue false
   */
  disableCoreCallCache: option(trueOrFalse, false),
  /**
   * The newest version of the core's interface (CDI) to speak; the best that the core offers is agreed with it. With `'5.6'` a
   * refresh replaces the refresh token at once: one whose response was lost works again only as long as the core's grace period
   * lasts (30 s), and afterwards counts as theft. With `'5.4'` the replaced token works until its successor is first used, and
   * `accessTokenValiditySec` cannot be given.
   * @defaultValue `5.6`
   */
  newestCdiVersion: option(oneOf(...SPOKEN_CDI_VERSIONS), SPOKEN_CDI_VERSIONS[0]),
};

/**
 * Options of a SuperTokens Core service.
 *
 * @publicApi
 */
export interface RemoteCoreOptions extends OptionsOf<typeof REMOTE_CORE_OPTIONS> {
  /**
   * `true`: `apiKey` may travel over plain http to another machine. `false`: the application then does not start.
   * @defaultValue false
   */
  [allowInsecureConnection]?: boolean;
}

/** The same after reading. */
export interface RemoteCoreConfig extends Omit<Resolved<typeof REMOTE_CORE_OPTIONS>, 'connectionURI'> {
  /** In the order in which they were given; at least one. */
  readonly hosts: readonly CoreHost[];
}

/** Fills in the defaults and finds every problem at once. No message repeats the API key. */
export function resolveRemoteCoreOptions(options: RemoteCoreOptions): {
  config: RemoteCoreConfig;
  problems: ConfigProblem[];
} {
  const problems: ConfigProblem[] = [];
  const { connectionURI: hosts = [], ...rest } = readOptions(
    REMOTE_CORE_OPTIONS,
    { ...options },
    problems,
    'core.',
  );
  if (rest.apiKey !== undefined && options[allowInsecureConnection] !== true) {
    reportInsecureHosts(hosts, problems);
  }
  return { config: { hosts, ...rest }, problems };
}

function reportInsecureHosts(hosts: readonly CoreHost[], problems: ConfigProblem[]): void {
  const open = hosts.filter((host) => !isPrivateConnection(host)).map(({ origin }) => origin);
  if (open.length > 0) {
    problems.push({
      path: 'core.connectionURI',
      message:
        `would send the apiKey unencrypted to ${open.join(', ')}: use https, or set [allowInsecureConnection]: true ` +
        'where nobody can listen',
    });
  }
}
