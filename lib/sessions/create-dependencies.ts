import type { AuditConfig } from '../audit/audit-options.js';
import { Deliverer } from '../audit/deliverer.js';
import { assertRolesKnown } from '../claims/user-roles.js';
import type { CoreClient } from '../core/core-client.js';
import type { BindingParts } from '../device-binding/create-binding.js';
import type { BindingNotes, DeviceBinding } from '../device-binding/device-binding.js';
import type { SessionEventHub } from '../events/session-event-hub.js';
import { TokenTransport } from '../http/token-transport.js';
import { SessionConfigError } from '../options/config-error.js';
import type { DeviceBoundSettings } from '../options/device-bound-options.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import { AccessTokenVerifier, type AccessTokenVerifierOptions } from '../tokens/access-token-verifier.js';
import type { Clock } from '../util/clock.js';
import { NewestEntries } from '../util/newest-entries.js';
import { ownWriteContext } from '../util/user-context.js';
import { createBackChannelLogout } from './back-channel-logout.js';
import { ContentSchemas } from './content-schemas.js';
import { Devices } from './devices.js';
import { confirmKey } from './key-bindings.js';
import { RateLimits } from './rate-limits.js';
import { contextPreparer, type RecipeDependencies } from './recipe-dependencies.js';
import { SessionLifetimes } from './session-lifetimes.js';
import { SessionReports } from './session-reports.js';
import { serveFeed, watchFeed } from './watched-feed.js';

/** Makes the parts that the recipe of one module instance works with. */
export async function createRecipeDependencies(
  options: ResolvedSessionOptions,
  core: CoreClient,
  clock: Clock,
  events: SessionEventHub,
): Promise<RecipeDependencies> {
  const userRoles = options.userRoles ?? core.userRoles;
  const { config, features, observability, claims } = options;
  assertRolesKnown(userRoles, [...claims, ...options.globalClaimValidators.map(({ claim }) => claim)]);
  const verifier = createVerifier(options, core, clock, (info) => revocations?.isClear(info) ?? true);
  const transport = new TokenTransport(config, clock, (request) => binding?.removeCookies(request) ?? []);
  const reports = new SessionReports(verifier, transport, events, clock);
  const binding = await loadBinding(features.deviceBound, reports, { config, core, clock, verifier });
  const lifetimes = createLifetimes(options, clock);
  const served = serveFeed(options.revocationFeed, core, clock);
  const revocations = watchFeed(options.revocationFeed, core, reports, { clock, events, served });
  return {
    config,
    core,
    verifier,
    transport,
    revocations,
    servedRevocations: served,
    deliverers: createDeliverers(options.audit, core, clock),
    backChannelLogout: createBackChannelLogout(features.backChannelLogout, core, clock),
    binding,
    events,
    clock,
    prepareContext: contextPreparer(userRoles, clock, binding?.kinds),
    lifetimes,
    schemas: new ContentSchemas(options.schemas, lifetimes.claimNames, claims),
    features,
    devices: new Devices(features.devices, clock, options.onRefresh !== undefined),
    claims,
    globalClaimValidators: options.globalClaimValidators,
    revokesStolenSessions: options.errorHandlers.onTokenTheftDetected === undefined,
    refreshHook: options.onRefresh && { decide: options.onRefresh, timeoutMs: options.onRefreshTimeoutMs },
    rateLimits: observability.rateLimit && new RateLimits(observability.rateLimit, core, clock),
  };
}

function createLifetimes(
  { features: { lifetime, deviceBound }, recordsAuthenticationTime }: ResolvedSessionOptions,
  clock: Clock,
): SessionLifetimes {
  return new SessionLifetimes({ lifetime, recordsAuthenticationTime, bindsDevices: !!deviceBound }, clock);
}

/** Sessions whose key this process has confirmed, so that it writes that once although their tokens do not say so yet. */
const REMEMBERED_CONFIRMATIONS = 10_000;

function bindingNotes(reports: SessionReports, core: CoreClient): BindingNotes {
  const confirmed = new NewestEntries<true>(REMEMBERED_CONFIRMATIONS);
  return {
    skipped: (subject, reason, { userContext }) =>
      reports.device('device.skipped', subject, userContext, reason),
    refused: (subject, reason, { userContext }) =>
      reports.device('device.proof-refused', subject, userContext, reason),
    shown: (sessionHandle, confirmation) => {
      const key = `${sessionHandle} ${confirmation.jkt}`;
      if (confirmed.get(key) !== undefined) return;
      confirmed.add(key, true);
      void confirmKey(core, sessionHandle, confirmation, ownWriteContext());
    },
  };
}

/** An application without the option does not load what it needs. */
async function loadBinding(
  settings: DeviceBoundSettings | undefined,
  reports: SessionReports,
  parts: Omit<BindingParts, 'notes'> & { readonly core: CoreClient },
): Promise<DeviceBinding | undefined> {
  if (settings === undefined) return undefined;
  const { createDeviceBinding } = await import('../device-binding/create-binding.js');
  return createDeviceBinding(settings, { ...parts, notes: bindingNotes(reports, parts.core) });
}

function createVerifier(
  { config, clockToleranceSec, maxCachedTokens, maxCachedTokenBytes }: ResolvedSessionOptions,
  core: CoreClient,
  clock: Clock,
  mayRemember: Required<AccessTokenVerifierOptions>['mayRemember'],
): AccessTokenVerifier {
  return new AccessTokenVerifier(core.verificationKeys, clock, {
    clockToleranceSec,
    maxCachedTokens,
    maxCachedTokenBytes,
    mayRemember,
    intended: { issuers: config.accessTokenIssuers, audience: config.accessTokenAudience },
  });
}

const NO_VALUES =
  'are given, but the store has no place where instances agree about who delivers: use a store of this library';

/** Makes what sends the records of the audit trail. @throws {SessionConfigError} the store cannot keep how far that is */
function createDeliverers(
  config: AuditConfig | undefined,
  core: CoreClient,
  clock: Clock,
): readonly Deliverer[] {
  const { auditTrail: trail, sharedValues: values } = core;
  if (config === undefined || trail === undefined || config.deliveries.length === 0) return [];
  if (values === undefined) throw new SessionConfigError([{ path: 'audit.deliveries', message: NO_VALUES }]);
  const keepMs = config.keepForSec * 1000;
  return config.deliveries.map((delivery) => new Deliverer({ delivery, trail, values, clock, keepMs }));
}
