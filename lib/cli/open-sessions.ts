import type { CoreClient } from '../core/core-client.js';
import type { CoreProvider } from '../core/core-provider.js';
import {
  resolveEmbeddedCoreOptions,
  type EmbeddedCoreConfig,
} from '../core/embedded/embedded-core-config.js';
import { embeddedCore, type EmbeddedCoreProvider } from '../core/embedded/embedded-core-options.js';
import { remoteCore } from '../core/remote/http-core-client.js';
import { CoreError, CoreUnavailableError } from '../errors.js';
import { SessionEventHub } from '../events/session-event-hub.js';
import type { RevocationFeed } from '../feed/revocation-feed.js';
import { hasMethod } from '../options/option-checks.js';
import {
  resolveSessionOptions,
  type ResolvedSessionOptions,
  type SessionModuleOptions,
} from '../session.options.js';
import { createCore, createErrorResponder, createRuntime } from '../sessions/composition.js';
import { createRecipeDependencies } from '../sessions/create-dependencies.js';
import { applyFunctionOverrides } from '../sessions/overrides.js';
import { SessionFunctions } from '../sessions/session-functions.js';
import { SessionRecipe } from '../sessions/session-recipe.js';
import { MEMORY_DESCRIPTION } from '../stores/memory.store.js';
import { StoreSetupError, type SessionStore } from '../stores/session-store.js';
import type { JsonObject } from '../util/json.js';
import { UsageError, type CliIo } from './io.js';
import { loadConfiguration } from './configuration.js';
import { openStore, type StoreNames } from './store-address.js';

/** The place of the sessions, as it was typed. */
export interface SessionPlace extends StoreNames {
  readonly config?: string | undefined;
  readonly store?: string | undefined;
  readonly core?: string | undefined;
  readonly apiKey?: string | undefined;
}

/** A store whose tables can be looked at and brought up to date. */
export interface MigratableStore extends SessionStore {
  keepTables(): void;
  planMigration(): Promise<readonly string[]>;
  migrate(): Promise<void>;
}

/** Sessions that a command works with. They do no work in the background, so that the command does what it says and no more. */
export interface OpenedSessions {
  readonly service: SessionFunctions;
  /** Whether a session with this payload has reached the end that the option `lifetime` sets. */
  isOver(payload: JsonObject): boolean;
  readonly core: CoreClient;
  readonly options: ResolvedSessionOptions;
  /** The settings of an embedded core, where they are those of the application. */
  readonly settings: EmbeddedCoreConfig | undefined;
  /** The store of an embedded core. */
  readonly store: SessionStore | undefined;
  readonly feed: RevocationFeed | undefined;
  /** Core and store, without secrets. */
  readonly description: string;
  close(): Promise<void>;
}

/** The longest life of access tokens that records of ended sessions are made for where the application's own is not known: a day. */
const UNKNOWN_TOKEN_LIFE_SEC = 86_400;

const APP_INFO = {
  appName: 'nest-sessions',
  apiDomain: 'http://localhost',
  websiteDomain: 'http://localhost',
};

/**
 * Opens the sessions of a place. Their core is not started: it sweeps nothing, makes no keys and delivers no records.
 *
 * @param needs anyTables: tables that are missing or old are no error
 * @throws {UsageError} no place is named, or more than one; its configuration is wrong; the tables are not up to date
 */
export async function openSessions(
  place: SessionPlace,
  io: CliIo,
  needs: { readonly anyTables?: boolean } = {},
): Promise<OpenedSessions> {
  const given = await givenOptions(place, io);
  try {
    return await openGiven(given, place, io, needs);
  } catch (error) {
    await given.close();
    throw error;
  }
}

async function openGiven(
  { options: given, isKnown, close }: GivenOptions,
  place: SessionPlace,
  io: CliIo,
  needs: { readonly anyTables?: boolean },
): Promise<OpenedSessions> {
  const options = resolveSessionOptions(given);
  const embedded = embeddedProvider(options.core);
  const store = embedded?.givenStore();
  if (store !== undefined && isMigratable(store)) {
    store.keepTables();
    if (needs.anyTables !== true) await refuseOldTables(store);
  }
  const { core, service, isOver } = await compose(options, io);
  if (place.config !== undefined && core.description.includes(MEMORY_DESCRIPTION))
    io.stderr(
      'nest-sessions: these sessions are in the memory of this process, not in that of the application\n',
    );
  return {
    service,
    isOver,
    core,
    options,
    settings: embedded && isKnown ? resolveEmbeddedCoreOptions(embedded.embeddedSettings).config : undefined,
    store,
    feed: options.revocationFeed?.feed ?? core.revocationFeed,
    description: core.description,
    close: async () => {
      await core.close();
      await close();
    },
  };
}

export function isMigratable(store: SessionStore): store is MigratableStore {
  return ['keepTables', 'planMigration', 'migrate'].every((method) => hasMethod(store, method));
}

/** Waits for a call of a store itself, whose failures are those of its driver. @throws {CoreUnavailableError} it failed */
export async function fromStore<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof StoreSetupError || cause instanceof CoreError) throw cause;
    throw new CoreUnavailableError('The session store failed', { cause });
  }
}

async function refuseOldTables(store: MigratableStore): Promise<void> {
  const planned = await fromStore(store.planMigration());
  if (planned.length === 0) return;
  throw new UsageError(
    'the tables of this store are missing, or older than this version of nest-sessions needs: npx nest-sessions migrate shows the ' +
      'statements that are to run, and runs them with --apply',
  );
}

interface GivenOptions {
  readonly options: SessionModuleOptions;
  /** Whether these are the application's own settings. */
  readonly isKnown: boolean;
  close(): Promise<void>;
}

async function givenOptions(place: SessionPlace, io: CliIo): Promise<GivenOptions> {
  const { config, store, core } = place;
  const typed = [config, store, core].filter((each) => each !== undefined);
  if (typed.length > 1) throw new UsageError('give one of --config, --store and --core, not several');
  const nothingToClose = async (): Promise<void> => undefined;
  if (config !== undefined) {
    const configuration = await loadConfiguration(config, io.folder);
    const options = configuration.options ?? withTrails(configuration.core);
    return { options, isKnown: true, close: nothingToClose };
  }
  if (core !== undefined) {
    const { apiKey } = place;
    const remote = remoteCore({ connectionURI: core, ...(apiKey === undefined ? {} : { apiKey }) });
    return { options: { appInfo: APP_INFO, core: remote }, isKnown: false, close: nothingToClose };
  }
  if (store === undefined)
    throw new UsageError(
      'say where the sessions are: --config <file>, --store <address> or --core <address>',
    );
  const opened = await openStore(store, place, io.folder);
  const embedded = embeddedCore({ store: opened.store, accessTokenValiditySec: UNKNOWN_TOKEN_LIFE_SEC });
  return { options: withTrails(embedded), isKnown: false, close: async () => opened.close() };
}

/** Without the application's options, what is ended is recorded wherever the store can: an instance that does not read it has lost nothing. */
function withTrails(core: CoreProvider): SessionModuleOptions {
  const store = embeddedProvider(core)?.givenStore();
  return {
    appInfo: APP_INFO,
    core,
    devices: {},
    revocationFeed: store?.revocations !== undefined,
    audit: store?.audit !== undefined,
  };
}

/** Recognised by its form, because the configuration may have loaded another copy of this package. */
function embeddedProvider(core: CoreProvider): EmbeddedCoreProvider | undefined {
  return hasMethod(core, 'givenStore') ? (core as EmbeddedCoreProvider) : undefined;
}

/** Makes the parts of `createSessions`, without those that start. A recipe of the application may need Nest, so it is left out. */
async function compose(options: ResolvedSessionOptions, { clock, stderr }: CliIo) {
  const events = new SessionEventHub();
  const core = createCore(options, clock, events);
  const dependencies = await createRecipeDependencies(options, core, clock, events);
  const recipe = applyFunctionOverrides(new SessionRecipe(dependencies), options.override.functions);
  const log = (message: string): void => stderr(`nest-sessions: ${message}\n`);
  const responder = createErrorResponder(options, dependencies, recipe, { error: log, warn: log });
  const runtime = createRuntime(options, dependencies, recipe, responder);
  const isOver = (payload: JsonObject): boolean => dependencies.lifetimes.isOver(payload);
  return { core, service: new SessionFunctions(runtime), isOver };
}
