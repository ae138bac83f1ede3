/** The store of the sessions. */
export type StoreSetting =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgresql'; readonly url: string };

export interface Settings {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** undefined serves without keys, which is allowed on the loopback only. */
  readonly apiKeys: readonly string[] | undefined;
  /** Names under which a proxy passes calls on; undefined where there is none. */
  readonly hostNames: readonly string[] | undefined;
  /** Seals the private keys in the store; undefined keeps them plain. */
  readonly keySecret: string | undefined;
  readonly store: StoreSetting;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/;

/**
 * Reads the environment: `HOST`, `PORT`, `API_KEYS` and `HOST_NAMES` (separated by commas), `KEY_SECRET`, and `SQLITE_FILE` or `PG_URL`.
 *
 * @throws {Error} the settings contradict each other, or would open the core to the network without a key
 */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Settings {
  const host = env['HOST'] || '127.0.0.1';
  const apiKeys = listFrom(env['API_KEYS']);
  if (!LOOPBACK.test(host) && apiKeys === undefined) {
    throw new Error(`Set API_KEYS: on ${host} others can reach this core, and sign in as any user`);
  }
  const port = Number(env['PORT'] || 3567);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`PORT is no port: ${env['PORT']}`);
  return {
    host,
    port,
    apiKeys,
    hostNames: listFrom(env['HOST_NAMES']),
    keySecret: env['KEY_SECRET'] || undefined,
    store: storeFrom(env),
  };
}

function listFrom(text = ''): readonly string[] | undefined {
  const items = text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  return items.length > 0 ? items : undefined;
}

function storeFrom(env: Readonly<Record<string, string | undefined>>): StoreSetting {
  const { SQLITE_FILE: file, PG_URL: url } = env;
  if (file && url) throw new Error('Set SQLITE_FILE or PG_URL, not both');
  if (file) return { kind: 'sqlite', file };
  return url ? { kind: 'postgresql', url } : { kind: 'memory' };
}
