import { booleanOption, integerOption, OptionReader } from '../../options/option-reader.js';
import type { ConfigProblem } from '../../errors.js';
import { isPrivateConnection, parseConnectionUri, type CoreHost } from './host-pool.js';
import type { NetworkInterceptor } from './http-transport.js';

/**
 * Name of the option of `remoteCore` that lets an API key travel unencrypted. Only for networks on which nobody listens:
 * whoever reads the key can create sessions for every user.
 *
 * @example
 * remoteCore({ connectionURI: 'http://core:3567', apiKey, [allowInsecureConnection]: true })
 * @publicApi
 */
export const allowInsecureConnection: unique symbol = Symbol('allowInsecureConnection');

/**
 * Options of a SuperTokens Core service.
 *
 * @publicApi
 */
export interface RemoteCoreOptions {
  /**
   * Where the core is: `https://core.example.com`. Several hosts of one core are separated by `;` and share the load;
   * each may have a base path and the id of an app, `https://core.example.com/base/appid-shop`. Without a scheme, local
   * names and IP addresses get `http://` and everything else `https://`.
   */
  connectionURI: string;
  /**
   * One of the core's `api_keys`, sent with every call but the loading of the published keys. Default: none. Over plain
   * http only to this machine, unless {@link allowInsecureConnection} is set.
   */
  apiKey?: string | undefined;
  /** Sees and may change each request to the core. Default: none. */
  networkInterceptor?: NetworkInterceptor;
  /**
   * How long one host has for a call, from connecting to the end of its answer, milliseconds. Default 10,000; 1 to
   * 600,000. A call that may be repeated then goes to the next host, so a call can last as many times longer as there
   * are hosts; each refusal by rate limiting (status 429) adds up to 1 s, at most 2.55 s for each
   * host. The first call asks for the version before, under the same limits.
   */
  requestTimeoutMs?: number;
  /** Longer answers are given up, bytes. Default 1,048,576; at least 1024. */
  maxResponseBytes?: number;
  /**
   * `true`: each read asks the core. Default `false`: equal reads of one user context (normally one request) share an
   * answer until something is written through it.
   */
  disableCoreCallCache?: boolean;
  /** `true`: `apiKey` may travel over plain http to another machine. Default `false`: the application does not start. */
  [allowInsecureConnection]?: boolean;
}

/** The same with nothing left open. */
export interface RemoteCoreConfig {
  /** In the order in which they were given; at least one. */
  readonly hosts: readonly CoreHost[];
  readonly apiKey: string | undefined;
  readonly networkInterceptor: NetworkInterceptor | undefined;
  readonly requestTimeoutMs: number;
  readonly maxResponseBytes: number;
  readonly disableCoreCallCache: boolean;
}

const OPTION_NAMES: Readonly<Record<Exclude<keyof RemoteCoreOptions, symbol>, true>> = {
  connectionURI: true,
  apiKey: true,
  networkInterceptor: true,
  requestTimeoutMs: true,
  maxResponseBytes: true,
  disableCoreCallCache: true,
};

const MAX_TIMEOUT_MS = 600_000;
const DEFAULT_RESPONSE_BYTES = 1_048_576;

/** Fills in the defaults and finds every problem at once. No message repeats the API key. */
export function resolveRemoteCoreOptions(options: RemoteCoreOptions): {
  config: RemoteCoreConfig;
  problems: ConfigProblem[];
} {
  const problems: ConfigProblem[] = [];
  const source: Readonly<Record<string, unknown>> = { ...options };
  const reader = new OptionReader(source, problems, 'core.');
  reader.rejectUnknown(Object.keys(OPTION_NAMES));
  const config = {
    hosts: readHosts(source['connectionURI'], reader),
    apiKey: readApiKey(source['apiKey'], reader),
    networkInterceptor: reader.function<NetworkInterceptor>('networkInterceptor'),
    requestTimeoutMs: reader.optional('requestTimeoutMs', integerOption(1, MAX_TIMEOUT_MS)) ?? 10_000,
    maxResponseBytes:
      reader.optional('maxResponseBytes', integerOption(1024, 2 ** 31)) ?? DEFAULT_RESPONSE_BYTES,
    disableCoreCallCache: reader.optional('disableCoreCallCache', booleanOption) ?? false,
  };
  if (config.apiKey !== undefined && options[allowInsecureConnection] !== true) {
    reportInsecureHosts(config.hosts, reader);
  }
  return { config, problems };
}

/** Written by hand, because the ordinary messages repeat what was written, and a URI may carry a password. */
function readHosts(value: unknown, reader: OptionReader): CoreHost[] {
  const expected = 'give the address of the core, http://localhost:3567 for example';
  if (typeof value !== 'string') {
    reader.report('connectionURI', `${value === undefined ? 'is missing' : 'is no text'}: ${expected}`);
    return [];
  }
  try {
    return parseConnectionUri(value);
  } catch (error) {
    reader.report('connectionURI', `does not work: ${(error as Error).message}; ${expected}`);
    return [];
  }
}

function readApiKey(value: unknown, reader: OptionReader): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return value;
  reader.report('apiKey', 'must be text of visible ASCII characters without blanks');
  return undefined;
}

function reportInsecureHosts(hosts: readonly CoreHost[], reader: OptionReader): void {
  const open = hosts.filter((host) => !isPrivateConnection(host)).map(({ origin }) => origin);
  if (open.length > 0) {
    reader.report(
      'connectionURI',
      `would send the apiKey unencrypted to ${open.join(', ')}: use https, or set [allowInsecureConnection]: true ` +
        'where nobody can listen',
    );
  }
}
