import { SessionConfigError, type ConfigProblem } from '../../options/config-error.js';
import { onOffOrAuto } from '../../options/observability-options.js';
import { oneOf, secret, text, trueOrFalse } from '../../options/option-checks.js';
import {
  isOptionsObject,
  option,
  readOptions,
  show,
  type Check,
  type OptionsOf,
  type Resolved,
} from '../../options/option-table.js';
import { AUDIT_TRAIL_OPTIONS } from '../../audit/audit-options.js';
import { coreProvider } from '../core-provider.js';
import { embeddedCore } from '../embedded/embedded-core-options.js';
import { isAcceptableApiKey } from '../../util/api-key.js';
import { readHost } from './caller-check.js';
import { CDI_VERSIONS, compareVersions, normalisedBasePath } from './cdi-router.js';

const apiKeys: Check<readonly string[]> = (value) => {
  const isKey = (key: unknown): boolean => typeof key === 'string' && isAcceptableApiKey(key);
  if (Array.isArray(value) && value.length > 0 && value.every(isKey)) return value as string[];
  throw new Error(
    'an array of keys is expected, each of at least 20 letters, digits, "=" and "-"; leave the option out to serve without keys',
  );
};

const hostNames: Check<readonly string[]> = (value) => {
  const names: readonly unknown[] = Array.isArray(value) ? value : [];
  const hosts = names.map((name) => (typeof name === 'string' ? readHost(name) : undefined));
  const isName = (host: string | undefined, index: number): boolean =>
    host !== undefined && !/:\d*$/.test(String(names[index]).replace(/\[.*\]/, ''));
  if (hosts.length > 0 && hosts.every(isName)) return hosts as string[];
  throw new Error('an array of host names is expected, without scheme, port and path: ["core.internal"]');
};

const basePath = text((path) => {
  if (/[\s?#]/.test(path)) throw new Error('a path without blanks, "?" and "#" is expected');
  return normalisedBasePath(path);
});

const versions: Check<readonly string[]> = (value) => {
  const isServed = (version: unknown): boolean => CDI_VERSIONS.some((known) => known === version);
  if (!Array.isArray(value) || value.length === 0 || !value.every(isServed)) {
    throw new Error(`an array is expected of ${CDI_VERSIONS.join(', ')}`);
  }
  return [...new Set(value as string[])].sort(compareVersions);
};

/** The options of `SessionCoreModule`. */
export const SESSION_CORE_OPTIONS = {
  /**
   * The core that is served.
   * @defaultValue `embeddedCore()`: in memory, so that its sessions end with the process
   */
  core: option(coreProvider, embeddedCore()),
  /**
   * Keys of which callers send one as `api-key` or `Authorization`; each of at least 20 letters, digits, `=` and `-`. Without
   * keys only calls of the same machine are served, of which every one may create and end sessions.
   * @defaultValue none
   */
  apiKeys: option(secret(apiKeys), []),
  /**
   * Names under which callers reach the core, as they stand in `Host`, without port: `['core.internal']`. Needed behind a proxy
   * that passes on the name of the outside, if the core has no API keys or listens on a loopback address: there only
   * `localhost` and loopback addresses are served otherwise. With keys on other addresses, every name is served until some
   * are listed.
   * @defaultValue none
   */
  hostNames: option(hostNames, []),
  /**
   * Path in front of all calls. The core responds to everything below it, with 404 to unknown paths.
   * @defaultValue none
   */
  basePath: option(basePath, ''),
  /**
   * Versions of the Core Driver Interface to serve, of `5.0` to `5.6`. A call that names none gets the newest before 5.6. For calls
   * of 5.6 a refresh replaces the refresh token at once; see docs/guides/cores-and-stores.md.
   * @defaultValue all; without 5.6 if the core cannot do that, as a `remoteCore`
   */
  versions: option(versions),
  /**
   * How the core reports to callers of CDI 5.6 that a refresh token came back which was current, or the sibling of the current one,
   * just before: `TOKEN_THEFT` or, more softly, `UNAUTHORISED`. It ends the session either way; an older token is always a theft.
   * @defaultValue `TOKEN_THEFT`
   */
  recentTokenReuseBehaviour: option(oneOf('TOKEN_THEFT', 'UNAUTHORISED'), 'TOKEN_THEFT'),
  /**
   * Serves the feed of revocations at `POST <basePath>/nest-sessions/revocations`, for instances with the option `revocationFeed` on a
   * `remoteCore`. Sessions that end are then recorded in the store. A core or store without a feed of its own stops the start.
   * @defaultValue false
   */
  revocationFeed: option(trueOrFalse, false),
  /**
   * Keeps records of what begins, changes and ends sessions, in the store and in the same transaction as the change itself. A
   * `SessionModule` whose embedded core works on the same store reads them, with the same option.
   * @defaultValue false
   */
  audit: AUDIT_TRAIL_OPTIONS.audit,
  /**
   * Spans and metrics of the calls to the store, through `@opentelemetry/api`. `true`: the application does not start without
   * that package. `false`: never.
   * @defaultValue on if that package can be found, otherwise off
   */
  telemetry: option(onOffOrAuto, 'auto'),
};

/**
 * The options of `SessionCoreModule.forRoot`. None is required.
 *
 * @publicApi
 */
export interface SessionCoreModuleOptions extends OptionsOf<typeof SESSION_CORE_OPTIONS> {}

/** The options after reading. */
export type SessionCoreConfig = Resolved<typeof SESSION_CORE_OPTIONS>;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {SessionConfigError} listing every problem at once
 */
export function resolveSessionCoreOptions(options: SessionCoreModuleOptions): SessionCoreConfig {
  const given: unknown = options; // a factory may have forgotten to return them
  if (!isOptionsObject(given)) {
    const message = `are ${show(given)}; an object is expected`;
    throw new SessionConfigError([{ path: 'options', message }], 'SessionCoreModule');
  }
  const problems: ConfigProblem[] = [];
  const config = readOptions(SESSION_CORE_OPTIONS, given, problems);
  problems.push(...config.core.problems);
  if (problems.length > 0) throw new SessionConfigError(problems, 'SessionCoreModule');
  return config;
}
