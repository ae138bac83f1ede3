import type { CoreClient } from '../core/core-client.js';
import { errorReason } from '../events/printable.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import { MEMORY_DESCRIPTION } from '../stores/memory.store.js';

/** Browsers can keep up with this life of the bound cookie (D40, D48). */
const MIN_STEADY_COOKIE_LIFE_SEC = 240;

/** Returns what was probably not meant: for the log of a start. */
export function startupWarnings(
  options: ResolvedSessionOptions,
  { description }: Pick<CoreClient, 'description'>,
): string[] {
  return [...options.notes, ...storeWarnings(description), ...bindingWarnings(options)];
}

/** Asks the core for its keys. @returns the warning that it does not respond, or undefined if it does */
export async function missingCoreWarning(core: CoreClient): Promise<string | undefined> {
  try {
    await core.getJwks({});
    return undefined;
  } catch (error) {
    return (
      `Core: ${core.description}; it does not respond (${errorReason(error)}). Until it does, sign-in and refresh get 503: ` +
      'see that it runs, that its address is right and that this machine can reach it. No restart is needed'
    );
  }
}

function bindingWarnings({ features, config }: ResolvedSessionOptions): string[] {
  const dbsc = features.deviceBound?.dbsc;
  if (dbsc === undefined) return [];
  const { apiDomain } = config.appInfo;
  const needsHttps = `deviceBound.dbsc has no effect: browsers bind sessions over https only, and appInfo.apiDomain is ${apiDomain}`;
  const isShort =
    `deviceBound.dbsc.cookieLifeSec is ${dbsc.cookieLifeSec}: browsers renew two minutes before the end and sign six times in nine ` +
    'minutes, so below 240 they soon cannot renew. Keep that for tests';
  return [
    ...(apiDomain.startsWith('https:') ? [] : [needsHttps]),
    ...(dbsc.cookieLifeSec < MIN_STEADY_COOKIE_LIFE_SEC ? [isShort] : []),
  ];
}

function storeWarnings(description: string): string[] {
  // oxlint-disable-next-line node/no-process-env -- the convention of production lives there
  if (process.env['NODE_ENV'] !== 'production' || !description.includes(MEMORY_DESCRIPTION)) return [];
  return [
    `Sessions are kept in ${MEMORY_DESCRIPTION}: a restart signs every user out, and a second process does not know them. ` +
      'Give embeddedCore a store, sqliteStore(), postgresStore() or redisStore(), or use remoteCore()',
  ];
}
