import type { SessionClaimValidator } from './claims/claim-validator.js';
import { AuthenticationTimeClaim } from './claims/authentication-time-claim.js';
import type { SessionClaim } from './claims/session-claim.js';
import type { UserRoleSource } from './claims/user-roles.js';
import { coreProvider } from './core/core-provider.js';
import { embeddedCore } from './core/embedded/embedded-core-options.js';
import { SessionConfigError, type ConfigProblem } from './options/config-error.js';
import {
  FEATURE_OPTIONS,
  type SessionFeatureOptions,
  type SessionFeatures,
} from './options/feature-options.js';
import { OBSERVABILITY_OPTIONS, type ObservabilityOptions } from './options/observability-options.js';
import {
  callback,
  hasMethod,
  numberBetween,
  objectWith,
  oneOf,
  text,
  wholeNumber,
} from './options/option-checks.js';
import {
  defaultsOf,
  group,
  option,
  readKnownOptions,
  type Check,
  type OptionsOf,
  type Resolved,
} from './options/option-table.js';
import { AUDIT_TRAIL_OPTIONS } from './audit/audit-options.js';
import { FEED_OPTIONS } from './feed/feed-options.js';
import { SCHEMA_OPTIONS } from './options/schema-options.js';
import { describeAddresses } from './options/app-info.js';
import { assertOptionsObject, readSessionConfig, type SessionConfig } from './options/session-config.js';
import { findUnknownOptions } from './options/unknown-options.js';
import { WIRE_OPTIONS, type SessionWireOptions } from './options/wire-options.js';
import type { ApiInterface } from './sessions/session-api.js';
import type { SessionErrorHandlers } from './sessions/error-responder.js';
import type { RecipeInterface } from './sessions/recipe.interface.js';
import type { OnRefresh } from './sessions/refresh-decisions.js';
import { SessionRecipe, type SessionRecipeClass } from './sessions/session-recipe.js';
import { assertCompatibleCopies } from './util/copies.js';
import { DEFAULT_MAX_CACHED_TOKEN_BYTES } from './tokens/access-token-verifier.js';

const recipe: Check<SessionRecipeClass> = (value) => {
  if (typeof value === 'function' && value.prototype instanceof SessionRecipe)
    return value as SessionRecipeClass;
  throw new Error('a class that extends SessionRecipe is expected');
};

/** Accepts an array of objects that all have this method. */
function arrayOf<Element>(expected: string, method: string): Check<readonly Element[]> {
  return (value) => {
    if (Array.isArray(value) && value.every((item) => hasMethod(item, method))) return value as Element[];
    throw new Error(`an array of ${expected} is expected`);
  };
}

/** Accepts claims whose keys differ. */
const claims: Check<readonly SessionClaim<unknown>[]> = (value, place) => {
  const given = arrayOf<SessionClaim<unknown>>('claims', 'build')(value, place);
  const keys = given.map((claim) => claim.key);
  for (const key of new Set(keys.filter((candidate, index) => keys.indexOf(candidate) !== index))) {
    const message = `Claim added by multiple recipes: the key ${JSON.stringify(key)} stands for several claims`;
    place.problems.push({ path: place.path, message });
  }
  return given;
};

const logStartup: Check<boolean | 'warnings'> = (value) => {
  if (typeof value === 'boolean' || value === 'warnings') return value;
  throw new Error("true, false or 'warnings' is expected");
};

/** Members of requests that frameworks set on each of them, so that they cannot be found on a prototype. */
const REQUEST_MEMBERS = ['body', 'cookies', 'headers', 'id', 'log', 'params', 'query', 'raw', 'route', 'url'];

const requestProperty: Check<string> = text((name) => {
  if (/^[A-Za-z_$][\w$]*$/.test(name) && !REQUEST_MEMBERS.includes(name)) return name;
  throw new Error("a name that requests do not have yet is expected, 'session' for example");
});

/** The options in `override`. */
const OVERRIDE_OPTIONS = {
  /**
   * Replaces recipe functions: `(original) => ({ ...original, … })`.
   * @defaultValue none
   */
  functions: option(callback<(original: RecipeInterface) => RecipeInterface>()),
  /**
   * Replaces API functions: `(original) => ({ ...original, … })`.
   * @defaultValue none
   */
  apis: option(callback<(original: ApiInterface) => ApiInterface>()),
};

/** The options in `errorHandlers`, documented at `SessionErrorHandlers`. */
const ERROR_HANDLER_OPTIONS = {
  onUnauthorised: option(callback<NonNullable<SessionErrorHandlers['onUnauthorised']>>()),
  onTryRefreshToken: option(callback<NonNullable<SessionErrorHandlers['onTryRefreshToken']>>()),
  onClearDuplicateSessionCookies:
    option(callback<NonNullable<SessionErrorHandlers['onClearDuplicateSessionCookies']>>()),
  onDuplicateSessionCookies:
    option(callback<NonNullable<SessionErrorHandlers['onDuplicateSessionCookies']>>()),
  onTokenTheftDetected: option(callback<NonNullable<SessionErrorHandlers['onTokenTheftDetected']>>()),
  onInvalidClaim: option(callback<NonNullable<SessionErrorHandlers['onInvalidClaim']>>()),
};

/** The options of `SessionModule` beside those of the wire, the features and observability. */
export const MODULE_OPTIONS = {
  /**
   * The core that issues the sessions: `embeddedCore()` inside this process, or `remoteCore()`, a SuperTokens Core.
   * @defaultValue `embeddedCore()`: inside this process, in memory
   */
  core: option(coreProvider, embeddedCore()),
  /**
   * Claims that are fetched and built into every new session. Keys must differ.
   * @defaultValue none
   */
  claims: option(claims, []),
  /**
   * Checks that every protected route runs unless it overrides them.
   * @defaultValue none
   */
  globalClaimValidators: option(arrayOf<SessionClaimValidator>('claim validators', 'validate'), []),
  /**
   * Decides about each refresh that the core has accepted, before its tokens leave: by the device (see `devices`), by the state of its
   * binding (see `deviceBound`), or by what else the application knows. `'allow'` or `undefined`: it goes on. `'step-up'`: it goes on,
   * and each `AuthenticationTimeClaim.validators.freshWithin` check fails until `session.recordAuthentication()`. `'end'`: the
   * session ends, and its client is signed out. A hook that throws, or returns something else, neither signs out nor opens: the response
   * is 503, no token is changed, and the client tries again. With this option a sign-in records its time.
   * @defaultValue none: each refresh goes on
   */
  onRefresh: option(callback<OnRefresh>()),
  /**
   * How long `onRefresh` may take, milliseconds; 1 to 60,000. Beyond it the response is 503 as well.
   * @defaultValue 2000
   */
  onRefreshTimeoutMs: option(wholeNumber(1, 60_000), 2000),
  /**
   * A class that extends `SessionRecipe` and overrides some of its functions; Nest makes it, so it can have dependencies.
   * @defaultValue none: `SessionRecipe` as it is
   */
  recipe: option(recipe),
  /**
   * Replaces recipe functions or API functions; each receives the original: `(original) => ({ ...original, … })`.
   * @defaultValue none
   */
  override: option<OptionsOf<typeof OVERRIDE_OPTIONS>, Resolved<typeof OVERRIDE_OPTIONS> | undefined>(
    group(OVERRIDE_OPTIONS, 'an object'),
    defaultsOf(OVERRIDE_OPTIONS),
  ),
  /**
   * Replacements for the responses to session errors.
   * @defaultValue the responses that SuperTokens' clients expect
   */
  errorHandlers: option<SessionErrorHandlers, Resolved<typeof ERROR_HANDLER_OPTIONS> | undefined>(
    group(ERROR_HANDLER_OPTIONS, 'an object'),
    defaultsOf(ERROR_HANDLER_OPTIONS),
  ),
  /**
   * Schemas of what the application puts into the payload and the session data, of zod, valibot, arktype or another Standard Schema. What
   * a schema returns is stored, so it has to accept that again: with each merge it sees what is stored together with the update.
   * @defaultValue none: each JSON object is accepted
   */
  schemas: option<OptionsOf<typeof SCHEMA_OPTIONS>, Resolved<typeof SCHEMA_OPTIONS> | undefined>(
    group(SCHEMA_OPTIONS, 'an object of schemas'),
  ),
  /**
   * The source of the values of `UserRoleClaim` and `PermissionClaim`.
   * @defaultValue the user roles of a remote core
   */
  userRoles: option(objectWith<UserRoleSource>(['getRolesForUser'], 'an object with getRolesForUser')),
  /**
   * Seconds by which this server's clock may differ from the core's when `exp` and `nbf` are checked here; 0 to 60. The
   * core's own checks have no tolerance.
   * @defaultValue 0
   */
  clockToleranceSec: option(numberBetween(0, 60), 0),
  /**
   * Access tokens that are remembered as verified, so that the next request with one costs no signature work; 0 for none.
   * @defaultValue 10,000
   */
  maxCachedTokens: option(wholeNumber(0, 10_000_000), 10_000),
  /**
   * Bytes that the remembered tokens may take, estimated from the lengths of tokens and payloads; 0 for none. The default
   * holds 10,000 tokens of usual size (2 to 3 kB each). A token that would take more than a 64th is not remembered.
   * @defaultValue 33,554,432 (32 MiB)
   */
  maxCachedTokenBytes: option(wholeNumber(0, Number.MAX_SAFE_INTEGER), DEFAULT_MAX_CACHED_TOKEN_BYTES),
  /**
   * Seconds for which a WebSocket whose access token has expired stays open, for the client to send a new one; 0 to 3600.
   * @defaultValue 30
   */
  socketRenewalGraceSec: option(numberBetween(0, 3600), 30),
  /**
   * Name under which each request of Express or Fastify has the session that `SessionGuard` found, `session` for `request.session`;
   * undefined where `sessionOf(request)` is. The start is refused if the name is taken, by express-session for example; code that
   * assigns it later gets an error that says so.
   * @defaultValue none: `sessionOf(request)` finds it
   */
  requestProperty: option(requestProperty),
  /**
   * Decides what happens at the start if a handler has session decorators that no `SessionGuard` will read, so that it would be open:
   * `error` stops the start, `warn` logs the handlers. A handler for which that cannot be decided before a request is always
   * a warning.
   * @defaultValue `error`
   */
  unguardedRules: option(oneOf('error', 'warn'), 'error'),
  /**
   * Decides what the module logs once the application has started: its routes, the core and whether it responds, how tokens travel, and
   * warnings about what was probably not meant. `'warnings'`: those alone. `false`: nothing, and the core is not asked.
   * @defaultValue true
   */
  logStartup: option<boolean | 'warnings', boolean | 'warnings'>(logStartup, true),
};

/** Stands for the options of a `SessionModule` that is imported without `forRoot`. */
export const NO_OPTIONS: object = Object.freeze({});
const NOT_CONFIGURED: ConfigProblem = {
  path: 'SessionModule',
  message:
    'is imported as it is, without options: write SessionModule.forRoot({ appInfo: … }) (or forRootAsync) in the imports of the ' +
    'root module. It is global, so that other modules need not import it',
};

/** Every option name of `SessionModule`. */
const KNOWN_NAMES = Object.keys({
  ...WIRE_OPTIONS,
  ...FEATURE_OPTIONS,
  ...OBSERVABILITY_OPTIONS,
  ...FEED_OPTIONS,
  ...AUDIT_TRAIL_OPTIONS,
  ...MODULE_OPTIONS,
});

/**
 * The options of `SessionModule.forRoot`. Only `appInfo` is required.
 *
 * @publicApi
 */
export interface SessionModuleOptions
  extends
    SessionWireOptions,
    SessionFeatureOptions,
    ObservabilityOptions,
    OptionsOf<typeof FEED_OPTIONS>,
    OptionsOf<typeof AUDIT_TRAIL_OPTIONS>,
    OptionsOf<typeof MODULE_OPTIONS> {}

/** The options after reading, with every default; no other code reads the raw ones. */
export interface ResolvedSessionOptions
  extends
    Resolved<typeof MODULE_OPTIONS>,
    Resolved<typeof FEED_OPTIONS>,
    Resolved<typeof AUDIT_TRAIL_OPTIONS> {
  readonly config: SessionConfig;
  readonly features: SessionFeatures;
  readonly observability: Resolved<typeof OBSERVABILITY_OPTIONS>;
  /** How addresses were understood that are not written as origins. */
  readonly notes: readonly string[];
  /** True if a sign-in records its time in the session. */
  readonly recordsAuthenticationTime: boolean;
}

/** Options that have no meaning without Nest. */
export const NEST_OPTIONS = [
  'unguardedRules',
  'logStartup',
  'socketRenewalGraceSec',
  'requestProperty',
] as const;

/**
 * Checks all options of the application and fills in the defaults.
 *
 * @param caller `createSessions` knows no {@link NEST_OPTIONS}
 * @throws {SessionConfigError} listing every problem of every part at once
 */
export function resolveSessionOptions(
  options: SessionModuleOptions,
  caller: 'SessionModule' | 'createSessions' = 'SessionModule',
): ResolvedSessionOptions {
  assertCompatibleCopies();
  if ((options as unknown) === NO_OPTIONS) throw new SessionConfigError([NOT_CONFIGURED]);
  const source = assertOptionsObject(options);
  const problems: ConfigProblem[] = findUnknownOptions(source, KNOWN_NAMES).map((problem) =>
    explainModuleOption(problem, caller),
  );
  if (caller === 'createSessions') problems.push(...findNestOptions(source));
  const config = readSessionConfig(source, problems);
  const own = readKnownOptions(MODULE_OPTIONS, source, problems);
  problems.push(...own.core.problems);
  const features = readKnownOptions(FEATURE_OPTIONS, source, problems);
  const observability = readKnownOptions(OBSERVABILITY_OPTIONS, source, problems);
  const feed = readKnownOptions(FEED_OPTIONS, source, problems);
  const trail = readKnownOptions(AUDIT_TRAIL_OPTIONS, source, problems);
  if (config === undefined || problems.length > 0) throw new SessionConfigError(problems, caller);
  const recordsAuthenticationTime =
    features.userSessionRoutes !== undefined ||
    features.backChannelLogout !== undefined ||
    own.onRefresh !== undefined ||
    own.claims.some(({ key }) => key === AuthenticationTimeClaim.key);
  const notes = describeAddresses(source['appInfo']);
  return Object.freeze({
    config,
    ...own,
    ...feed,
    ...trail,
    features,
    observability,
    recordsAuthenticationTime,
    notes,
  });
}

const ONLY_NEST = 'is an option of SessionModule alone: leave it out';

/** Nest needs `guard` and `isGlobal` when it reads the module, before a factory runs. */
function explainModuleOption(problem: ConfigProblem, caller: string): ConfigProblem {
  const { path } = problem;
  if (path !== 'guard' && path !== 'isGlobal') return problem;
  const example = path === 'guard' ? `guard: 'global'` : 'isGlobal: false';
  const place = `belongs beside useFactory, useClass or useExisting, not into what they return: forRootAsync({ ${example}, … })`;
  return { path, message: caller === 'createSessions' ? ONLY_NEST : place };
}

function findNestOptions(source: object): ConfigProblem[] {
  return NEST_OPTIONS.filter((path) => Object.hasOwn(source, path)).map((path) => ({
    path,
    message: ONLY_NEST,
  }));
}
