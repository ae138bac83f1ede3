import type { CoreProvider } from '../core-provider.js';

/**
 * What an application writes into `SessionCoreModule.forRoot`. Nothing is required.
 *
 * @publicApi
 */
export interface SessionCoreModuleOptions {
  /** The core that is served. Default `embeddedCore()`: in memory, so that its sessions end with the process. */
  core?: CoreProvider;
  /**
   * Keys of which callers send one as `api-key` or `Authorization`; each of at least 20 letters, digits, `=` and `-`.
   * Default none: whoever reaches the port may create and end sessions, so listen on the loopback only.
   */
  apiKeys?: readonly string[];
  /** Path in front of all calls. Default none. Everything below it is answered by the core, unknown paths by a 404. */
  basePath?: string;
  /** Versions of the Core Driver Interface to serve, of `5.0` to `5.4`. Default all; the newest stands for a call that names none. */
  versions?: readonly string[];
  /**
   * Spans and metrics of the calls to the store, through `@opentelemetry/api`. Default: where that package can be found, and
   * nothing otherwise. `true`: the application does not start without it. `false`: never.
   */
  telemetry?: boolean;
}
