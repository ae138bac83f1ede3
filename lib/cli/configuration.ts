import { existsSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CoreProvider } from '../core/core-provider.js';
import { embeddedCore } from '../core/embedded/embedded-core-options.js';
import { errorReason } from '../events/printable.js';
import { hasMethod } from '../options/option-checks.js';
import { isOptionsObject } from '../options/option-table.js';
import type { SessionModuleOptions } from '../session.options.js';
import { UsageError } from './io.js';

/** The configuration of an application: all options, or only a core. */
export type Configuration =
  | { readonly options: SessionModuleOptions; readonly core?: undefined }
  | { readonly core: CoreProvider; readonly options?: undefined };

const EXPECTED =
  'it is expected to export by default the options of SessionModule (with appInfo), those of embeddedCore (with store), what ' +
  'embeddedCore() or remoteCore() returns, or a function that returns one of these';
const TYPESCRIPT = ['.ts', '.mts', '.cts'];
/** The errors of Node for a file in TypeScript that it cannot run: types that cannot be removed, or no support for them at all. */
const TYPESCRIPT_ERRORS = [
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
];

/**
 * Reads the configuration of an application from a module of it.
 *
 * @param folder against which the name is resolved
 * @throws {UsageError} there is no such file, it cannot be loaded, its function throws, or it exports something else
 */
export async function loadConfiguration(file: string, folder: string): Promise<Configuration> {
  const path = resolve(folder, file);
  if (!existsSync(path)) throw new UsageError(`--config: there is no file ${path}`);
  const { default: exported } = await load(path);
  const given = typeof exported === 'function' ? await call(exported as () => unknown, file) : exported;
  if (!isOptionsObject(given))
    throw new UsageError(`--config: ${file} has no such default export: ${EXPECTED}`);
  if ('appInfo' in given) return { options: given as unknown as SessionModuleOptions };
  if (hasMethod(given, 'create') && 'problems' in given) return { core: given as unknown as CoreProvider };
  if ('store' in given) return { core: embeddedCore(given) };
  throw new UsageError(`--config: ${file} exports something else by default: ${EXPECTED}`);
}

async function call(exported: () => unknown, file: string): Promise<unknown> {
  try {
    return await exported();
  } catch (cause) {
    throw new UsageError(`--config: the function that ${file} exports failed: ${errorReason(cause)}`, {
      cause,
    });
  }
}

async function load(path: string): Promise<{ readonly default?: unknown }> {
  try {
    return (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  } catch (cause) {
    const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown };
    if (TYPESCRIPT.includes(extname(path)) && TYPESCRIPT_ERRORS.some((each) => each === code)) {
      throw new UsageError(
        `--config: this Node cannot run ${path}: from 22.18 on it removes types that can be erased, so no enum, namespace or ` +
          'decorator may be in it or in what it imports. Use a newer Node, or give the compiled .js',
        { cause },
      );
    }
    throw new UsageError(`--config: ${path} cannot be loaded: ${String(message)}`, { cause });
  }
}
