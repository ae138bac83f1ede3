import { DEFAULT_MAX_CACHED_TOKEN_BYTES } from './tokens/access-token-verifier.js';
import { AuthenticationTimeClaim } from './claims/authentication-time-claim.js';
import type { SessionClaimValidator } from './claims/claim-validator.js';
import type { SessionClaim } from './claims/session-claim.js';
import type { UserRoleSource } from './claims/user-roles.js';
import {
  integerOption,
  hasMethod,
  isOptionsObject,
  numberOption,
  OptionReader,
  type ParseOption,
} from './options/option-reader.js';
import {
  OBSERVABILITY_OPTION_NAMES,
  readObservability,
  type ObservabilityConfig,
  type ObservabilityOptions,
} from './options/observability-options.js';
import { resolveSessionConfig, type SessionConfig } from './options/session-config.js';
import {
  readSessionFeatures,
  SESSION_FEATURE_OPTION_NAMES,
  type SessionFeatures,
  type SessionFeatureOptions,
} from './options/feature-options.js';
import type { SessionWireOptions } from './options/wire-options.js';
import type { CoreProvider } from './core/core-provider.js';
import { embeddedCore } from './core/embedded/embedded-core-options.js';
import { SessionConfigError, type ConfigProblem } from './errors.js';
import type { SessionErrorHandlers } from './sessions/error-responder.js';
import { SessionRecipe, type SessionRecipeClass } from './sessions/session-recipe.js';
import type { ApiInterface } from './sessions/session-api.js';
import type { RecipeInterface } from './sessions/recipe.interface.js';

/** The options with nothing left open; no other code reads the raw ones. */
export interface ResolvedSessionOptions {
  readonly config: SessionConfig;
  readonly core: CoreProvider;
  readonly claims: readonly SessionClaim<unknown>[];
  readonly globalClaimValidators: readonly SessionClaimValidator[];
  readonly recipe: SessionRecipeClass | undefined;
  readonly overrideFunctions: NonNullable<SessionModuleOptions['override']>['functions'];
  readonly overrideApis: NonNullable<SessionModuleOptions['override']>['apis'];
  readonly errorHandlers: SessionErrorHandlers;
  readonly userRoles: UserRoleSource | undefined;
  readonly features: SessionFeatures;
  /** Whether a sign-in writes down when it was. */
  readonly recordsAuthenticationTime: boolean;
  readonly observability: ObservabilityConfig;
  readonly clockToleranceSec: number;
  readonly socketRenewalGraceSec: number;
  readonly maxCachedTokens: number;
  readonly maxCachedTokenBytes: number;
}

const OWN_NAMES: Readonly<Record<Exclude<keyof SessionModuleOptions, keyof SessionWireOptions>, true>> = {
  core: true,
  claims: true,
  globalClaimValidators: true,
  recipe: true,
  override: true,
  errorHandlers: true,
  userRoles: true,
  ...SESSION_FEATURE_OPTION_NAMES,
  ...OBSERVABILITY_OPTION_NAMES,
  clockToleranceSec: true,
  socketRenewalGraceSec: true,
  maxCachedTokens: true,
  maxCachedTokenBytes: true,
};

const ERROR_HANDLER_NAMES: Readonly<Record<keyof SessionErrorHandlers, true>> = {
  onUnauthorised: true,
  onTryRefreshToken: true,
  onClearDuplicateSessionCookies: true,
  onTokenTheftDetected: true,
  onInvalidClaim: true,
};

/**
 * Checks everything that the application wrote and fills in the defaults.
 *
 * @throws {SessionConfigError} listing every problem of every part at once
 */
export function resolveSessionOptions(options: SessionModuleOptions): ResolvedSessionOptions {
  const problems: ConfigProblem[] = [];
  const config = collect(problems, () =>
    resolveSessionConfig(options, { knownOptionNames: Object.keys(OWN_NAMES) }),
  );
  if (!isOptionsObject(options)) throw new SessionConfigError(problems); // nothing else can be read
  const own = resolveOwnOptions(options, problems);
  if (config === undefined || problems.length > 0) throw new SessionConfigError(problems);
  return Object.freeze({ config, ...own });
}

function resolveOwnOptions(
  options: SessionModuleOptions,
  problems: ConfigProblem[],
): Omit<ResolvedSessionOptions, 'config'> {
  const reader = new OptionReader(options as unknown as Readonly<Record<string, unknown>>, problems);
  const core = reader.optional('core', coreOption) ?? embeddedCore();
  problems.push(...core.problems);
  const override = new OptionReader(reader.optional('override', objectOption) ?? {}, problems, 'override.');
  override.rejectUnknown(['functions', 'apis']);
  const handlers = reader.optional('errorHandlers', objectOption) ?? {};
  const handlerReader = new OptionReader(handlers, problems, 'errorHandlers.');
  handlerReader.rejectUnknown(Object.keys(ERROR_HANDLER_NAMES));
  for (const name of Object.keys(ERROR_HANDLER_NAMES)) handlerReader.function(name);
  const claims = reader.optional('claims', listOption<SessionClaim<unknown>>('claims', 'build')) ?? [];
  reportRepeatedKeys(claims, reader);
  const features = readSessionFeatures(reader, problems);
  return {
    core,
    claims,
    globalClaimValidators:
      reader.optional(
        'globalClaimValidators',
        listOption<SessionClaimValidator>('claim validators', 'validate'),
      ) ?? [],
    recipe: reader.optional('recipe', recipeOption),
    overrideFunctions:
      override.function<NonNullable<ResolvedSessionOptions['overrideFunctions']>>('functions'),
    overrideApis: override.function<NonNullable<ResolvedSessionOptions['overrideApis']>>('apis'),
    errorHandlers: handlers,
    userRoles: reader.optional('userRoles', userRolesOption),
    features,
    recordsAuthenticationTime:
      features.userSessionRoutes !== undefined || claims.includes(AuthenticationTimeClaim),
    observability: readObservability(reader, problems),
    socketRenewalGraceSec: reader.optional('socketRenewalGraceSec', numberOption(0, 3600)) ?? 30,
    clockToleranceSec: reader.optional('clockToleranceSec', numberOption(0, 60)) ?? 0,
    maxCachedTokens: reader.optional('maxCachedTokens', integerOption(0, 10_000_000)) ?? 10_000,
    maxCachedTokenBytes:
      reader.optional('maxCachedTokenBytes', integerOption(0, Number.MAX_SAFE_INTEGER)) ??
      DEFAULT_MAX_CACHED_TOKEN_BYTES,
  };
}

function collect<T>(problems: ConfigProblem[], resolve: () => T): T | undefined {
  try {
    return resolve();
  } catch (error) {
    if (!(error instanceof SessionConfigError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

function reportRepeatedKeys(claims: readonly SessionClaim<unknown>[], reader: OptionReader): void {
  const keys = claims.map((claim) => claim.key);
  for (const key of new Set(keys.filter((candidate, index) => keys.indexOf(candidate) !== index))) {
    reader.report(
      'claims',
      `Claim added by multiple recipes: the key ${JSON.stringify(key)} stands for several claims`,
    );
  }
}

const coreOption: ParseOption<CoreProvider> = (value) => {
  if (!hasMethod(value, 'create') || !Array.isArray(Reflect.get(value as object, 'problems')))
    throw new Error('embeddedCore() or remoteCore() is expected');
  return value as CoreProvider;
};

const recipeOption: ParseOption<SessionRecipeClass> = (value) => {
  if (typeof value !== 'function' || !(value.prototype instanceof SessionRecipe)) {
    throw new Error('a class that extends SessionRecipe is expected');
  }
  return value as SessionRecipeClass;
};

const userRolesOption: ParseOption<UserRoleSource> = (value) => {
  if (!hasMethod(value, 'getRolesForUser')) throw new Error('an object with getRolesForUser is expected');
  return value as UserRoleSource;
};

const objectOption: ParseOption<Readonly<Record<string, unknown>>> = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('an object is expected');
  return value as Readonly<Record<string, unknown>>;
};

function listOption<T>(what: string, method: string): ParseOption<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || !value.every((item) => hasMethod(item, method))) {
      throw new Error(`an array of ${what} is expected`);
    }
    return value as T[];
  };
}

/**
 * What an application writes into `SessionModule.forRoot`. Only `appInfo` is required.
 *
 * @publicApi
 */
export interface SessionModuleOptions
  extends SessionWireOptions, SessionFeatureOptions, ObservabilityOptions {
  /** Who issues the sessions. Default `embeddedCore()`: inside this process, in memory. */
  core?: CoreProvider;
  /** Claims that are fetched and built into every new session. Keys must differ. */
  claims?: readonly SessionClaim<unknown>[];
  /** Checks that every protected route runs unless it overrides them. */
  globalClaimValidators?: readonly SessionClaimValidator[];
  /** A class that extends `SessionRecipe` and overrides some of its functions; Nest makes it, so it can have dependencies. */
  recipe?: SessionRecipeClass;
  /** Replaces recipe functions or API functions; each receives the original: `(original) => ({ ...original, … })`. */
  override?: {
    functions?(original: RecipeInterface): RecipeInterface;
    apis?(original: ApiInterface): ApiInterface;
  };
  /** Replacements for the answers to session errors. */
  errorHandlers?: SessionErrorHandlers;
  /** Where `UserRoleClaim` and `PermissionClaim` get their values. Default: a remote core's user roles. */
  userRoles?: UserRoleSource;
  /** Seconds by which this server's clock may differ from the core's when `exp` and `nbf` are checked here; the core's own checks know no tolerance. Default 0; at most 60. */
  clockToleranceSec?: number;
  /** Access tokens that are remembered as verified, so that the next request with one costs no signature work. Default 10,000; 0 for none. */
  maxCachedTokens?: number;
  /**
   * Bytes that the remembered tokens may take, estimated from the lengths of tokens and payloads. Default 33,554,432
   * (32 MiB), which holds 10,000 tokens of usual size (2 to 3 kB each); 0 for none. A token that would take more than
   * a 64th is not remembered.
   */
  maxCachedTokenBytes?: number;
  /** Seconds for which a WebSocket whose access token has expired stays open, for the client to send a new one. Default 30; 0 to 3600. */
  socketRenewalGraceSec?: number;
}
