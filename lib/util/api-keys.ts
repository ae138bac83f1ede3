import { createHash } from 'node:crypto';
import { safeEqual } from './safe-equal.js';

/** Reads one header of a request; the name is given in lower case. */
export type ReadHeader = (name: string) => string | undefined;

/** The accepted API keys. Without any, the core is open to every caller. */
export class ApiKeys {
  /** Digests of equal length, so that the time of a comparison does not show the length of a key. */
  private readonly digests: readonly string[];

  constructor(keys: readonly string[]) {
    this.digests = keys.map(digestKey);
  }

  /**
   * Returns whether a key is accepted. The time does not depend on which key it is, or on where a wrong one differs.
   */
  accepts(presented: string | undefined): boolean {
    if (this.digests.length === 0) return true;
    const digest = digestKey(presented ?? '');
    return this.digests.reduce((isKnown, key) => safeEqual(key, digest) || isKnown, false);
  }
}

/**
 * Returns the key of a request: `api-key`, or else `Authorization` with or without `Bearer`. The query is not read,
 * because addresses are logged.
 *
 * @see docs/protocol/core.md A2
 */
export function presentedApiKey(header: ReadHeader): string | undefined {
  const key = header('api-key') ?? header('authorization')?.replace(/^\s*bearer\s+/i, '');
  return key?.trim();
}

function digestKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
