import { NO_AUDIT_TRAIL, type AuditConfig } from '../audit/audit-options.js';
import type { CoreClient } from '../core/core-client.js';
import { LiveSessions } from '../core/live-sessions.js';
import { startCore, type AuditContext } from '../core/core-provider.js';
import { SessionConfigError } from '../options/config-error.js';
import type { SessionEventHub } from '../events/session-event-hub.js';
import type { Telemetry } from '../events/telemetry.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import type { Clock } from '../util/clock.js';
import type { SessionLogger } from '../util/session-logger.js';
import { ErrorResponder } from './error-responder.js';
import { DEVICE_OPTIONS, type DeviceSettings } from '../options/feature-options.js';
import { defaultsOf } from '../options/option-table.js';
import { Devices } from './devices.js';
import type { RecipeDependencies } from './recipe-dependencies.js';
import type { SessionRecipe } from './session-recipe.js';
import { SessionRuntime } from './session-runtime.js';

// The steps between the options and a runtime that serves requests. `SessionModule` takes them as providers, and
// `createSessions` one after the other; between the first two comes `createRecipeDependencies`.

/** Makes the core of the options. @throws {SessionConfigError} an audit trail is asked for, and the core keeps none */
export function createCore(
  { config, core, revocationFeed, audit, features }: ResolvedSessionOptions,
  clock: Clock,
  events: SessionEventHub,
): CoreClient {
  const made = core.create({
    clock,
    events,
    apiDomain: config.appInfo.apiDomain,
    jwksRefreshIntervalSec: config.jwksRefreshIntervalSec,
    recordsRevocations: revocationFeed !== undefined && revocationFeed.feed === undefined,
    audit: audit && auditContext(audit, features.devices, clock),
  });
  if (audit !== undefined && made.auditTrail === undefined)
    throw new SessionConfigError([{ path: 'audit', message: NO_AUDIT_TRAIL }]);
  return made;
}

/** Without the option `devices`, records hold as much of the client as that option would keep by default. */
function auditContext(
  { keepForSec, keepEndedForSec }: AuditConfig,
  settings: DeviceSettings | undefined,
  clock: Clock,
): AuditContext {
  const devices = new Devices(settings ?? defaultsOf(DEVICE_OPTIONS), clock);
  return {
    keepForSec,
    keepEndedForSec,
    describeSource: (userContext = {}) => {
      const { ip, userAgent } = devices.present(userContext) ?? {};
      return { ...(ip === undefined ? {} : { ip }), ...(userAgent === undefined ? {} : { userAgent }) };
    },
  };
}

/** Makes the part that responds to session errors. */
export function createErrorResponder(
  { errorHandlers: handlers }: ResolvedSessionOptions,
  { config, transport, prepareContext }: RecipeDependencies,
  recipe: SessionRecipe,
  logger: SessionLogger,
): ErrorResponder {
  return new ErrorResponder({ config, transport, recipe, handlers, prepareContext, logger });
}

/** Makes the functions of the routes and the guard. */
export function createRuntime(
  { override }: ResolvedSessionOptions,
  dependencies: RecipeDependencies,
  recipe: SessionRecipe,
  errorResponder: ErrorResponder,
): SessionRuntime {
  return new SessionRuntime(dependencies, recipe, errorResponder, override.apis);
}

/** Starts the core and closes it. */
export class RecipeLifecycle {
  private hasEnded = false;

  constructor(
    private readonly core: CoreClient,
    private readonly events: SessionEventHub,
    private readonly telemetry: Telemetry,
    private readonly dependencies: RecipeDependencies,
  ) {}

  /** Resolves when the first request may come. */
  async start(): Promise<void> {
    this.telemetry.observeSessions(this.dependencies.verifier);
    this.telemetry.observeCoreCalls();
    this.telemetry.observeRevocations(this.dependencies.revocations);
    const { core, clock } = this.dependencies;
    this.telemetry.observeCore(core.verificationKeys, new LiveSessions(core, clock), clock);
    await startCore(this.core, this.telemetry);
    const { revocations, servedRevocations, binding } = this.dependencies;
    try {
      await revocations?.start();
      servedRevocations?.start();
      await binding?.start();
      for (const deliverer of this.dependencies.deliverers) deliverer.start();
    } catch (error) {
      this.telemetry.stop();
      await this.release().catch(() => undefined); // the error of the start is the one that counts
      throw error;
    }
  }

  /** Responds to the requests that wait for something to happen, before the server closes, which waits for them. */
  endWaiting(): void {
    this.dependencies.servedRevocations?.endWaiting();
  }

  get isOver(): boolean {
    return this.hasEnded;
  }

  async close(): Promise<void> {
    this.hasEnded = true;
    await this.release();
    this.events.complete();
  }

  private async release(): Promise<void> {
    await Promise.all(this.dependencies.deliverers.map(async (deliverer) => deliverer.stop()));
    await this.dependencies.servedRevocations?.stop();
    await this.dependencies.revocations?.stop();
    await this.core.close();
  }
}
