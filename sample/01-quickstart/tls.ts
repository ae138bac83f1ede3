import { readFileSync } from 'node:fs';

/** A certificate and its private key, as texts in PEM. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads the files that `TLS_CERT` and `TLS_KEY` name.
 *
 * @returns undefined if neither is set: then the sample speaks plain HTTP
 * @throws {Error} only one of them is set, or a file cannot be read
 */
export function readTls(env: Readonly<Record<string, string | undefined>>): Tls | undefined {
  const { TLS_CERT: cert, TLS_KEY: key } = env;
  if (!cert && !key) return undefined;
  if (!cert || !key) {
    const [set, missing] = cert ? ['TLS_CERT', 'TLS_KEY'] : ['TLS_KEY', 'TLS_CERT'];
    throw new Error(`${set} is set and ${missing} is not: set both to paths of PEM files, or none`);
  }
  return { cert: read('TLS_CERT', cert), key: read('TLS_KEY', key) };
}

function read(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(`${name} names a file that cannot be read: ${path}`, { cause });
  }
}
