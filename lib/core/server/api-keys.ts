import { createHash } from 'node:crypto';
import { safeEqual } from '../../util/safe-equal.js';

/** A Core's rule for its `api_keys` (docs/protocol/core.md D). */
const ACCEPTABLE_KEY = /^[A-Za-z0-9=-]{20,}$/;

/** Reads one header of a request; the name is given in lower case. */
export type ReadHeader = (name: string) => string | undefined;

/** The keys of which any one opens the core. Without keys it is open to whoever reaches it. */
export class ApiKeys {
  /** Of equal length, so that time does not tell the length of a key either. */
  private readonly digests: readonly string[];

  constructor(keys: readonly string[]) {
    this.digests = keys.map(digestKey);
  }

  /** Takes equally long whichever key it is and wherever a wrong one begins to differ. */
  accepts(presented: string | undefined): boolean {
    if (this.digests.length === 0) return true;
    const digest = digestKey(presented ?? '');
    return this.digests.reduce((isKnown, key) => safeEqual(key, digest) || isKnown, false);
  }
}

/** Whether a text can be an API key: at least 20 letters, digits, `=` and `-`. */
export function isAcceptableApiKey(key: string): boolean {
  return ACCEPTABLE_KEY.test(key);
}

/**
 * The key that a request carries: `api-key`, or else `Authorization` with or without `Bearer`. Never from the address,
 * which ends up in logs.
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
