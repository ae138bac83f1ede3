import { SessionConfigError, type ConfigProblem } from '../options/config-error.js';
import type { SessionConfig } from '../options/session-config.js';
import { SESSION_ROUTES } from '../options/session-routes.js';
import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import type { Clock } from '../util/clock.js';
import { BindingSecret } from './binding-secret.js';
import { DbscBinding } from './dbsc.js';
import { DeviceBinding, type BindingNotes } from './device-binding.js';
import type { DeviceBoundSettings, DpopSettings } from '../options/device-bound-options.js';
import type { ReplayStore } from '../options/replay-store.js';
import { DpopBinding } from './dpop.js';
import { MemoryReplayStore } from './used-proofs.js';

/** The parts of the module that a binding works with. */
export interface BindingParts {
  readonly config: SessionConfig;
  readonly core: {
    deriveSecret?(purpose: string): Promise<string>;
    readonly replays?: ReplayStore | undefined;
  };
  readonly clock: Clock;
  readonly verifier: AccessTokenVerifier;
  readonly notes: BindingNotes;
}

/**
 * Makes the binding of the option `deviceBound`.
 *
 * @throws {SessionConfigError} with these options browsers or instances could not work together
 */
export function createDeviceBinding(settings: DeviceBoundSettings, parts: BindingParts): DeviceBinding {
  const { config, core, clock, verifier, notes } = parts;
  const problems = findProblems(settings, parts);
  if (problems.length > 0) throw new SessionConfigError(problems);
  const { dbsc, dpop, secret: given } = settings;
  const secret = new BindingSecret(async () => given ?? [await derive(core)]);
  return new DeviceBinding(
    dbsc && new DbscBinding(config, dbsc, secret, clock),
    dpop && new DpopBinding({ config, settings: dpop, secret, replay: replayStore(dpop, parts), clock }),
    secret,
    verifier,
    notes,
  );
}

/** Used proofs are kept where all instances see them, if the core has such a place. */
function replayStore({ replay }: DpopSettings, { core, clock }: BindingParts): ReplayStore {
  return replay ?? core.replays ?? new MemoryReplayStore(clock);
}

async function derive(core: BindingParts['core']): Promise<string> {
  return (await core.deriveSecret?.('device-binding')) ?? '';
}

function findProblems(
  { dbsc, dpop, secret }: DeviceBoundSettings,
  { config, core }: BindingParts,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const needsSecret = dbsc !== undefined || (dpop !== undefined && dpop.nonce !== 'never');
  if (needsSecret && secret === undefined && core.deriveSecret === undefined) {
    const message =
      'is missing: this core has no key to derive one from. Give a text of at least 32 characters, the same in every instance';
    problems.push({ path: 'deviceBound.secret', message });
  }
  if (dbsc === undefined) return problems;
  const { accessTokenPath, cookiePartitioned, appInfo, cookieSecure } = config;
  const route = appInfo.apiBasePath + SESSION_ROUTES.registerDevice.path;
  if (accessTokenPath !== '/' && !`${route}/`.startsWith(`${accessTokenPath}/`)) {
    const message = `needs the access token at ${route}, where browsers do not send a cookie of the accessTokenPath ${accessTokenPath}`;
    problems.push({ path: 'deviceBound.dbsc', message });
  }
  if (cookiePartitioned)
    problems.push({
      path: 'deviceBound.dbsc',
      message: 'browsers bind no partitioned cookies: set cookiePartitioned to false',
    });
  if (appInfo.apiDomain.startsWith('https:') && !cookieSecure)
    problems.push({ path: 'deviceBound.dbsc', message: 'needs secure cookies: set cookieSecure to true' });
  return problems;
}
