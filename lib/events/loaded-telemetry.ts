import { loadOpenTelemetry } from './open-telemetry.js';
import { Telemetry } from './telemetry.js';

/** What the option `telemetry` came to; also the injection token. */
export class LoadedTelemetry {
  constructor(readonly telemetry: Telemetry | undefined) {}
}

/** @see loadOpenTelemetry */
export async function loadTelemetry(
  setting: boolean | 'auto',
  moduleName: 'SessionModule' | 'SessionCoreModule',
): Promise<LoadedTelemetry> {
  const api = await loadOpenTelemetry(setting, moduleName);
  return new LoadedTelemetry(api && new Telemetry(api));
}
