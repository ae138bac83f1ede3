import { CoreResponseError, CoreUnavailableError } from '../errors.js';
import { JwksCache } from '../tokens/jwks-cache.js';
import { parsePublicKeys } from '../tokens/published-keys.js';
import type { Clock } from '../util/clock.js';
import { parseJsonObject } from '../util/json.js';
import { UnexpectedResponse } from '../util/response-members.js';
import type { PublicJwk, VerificationKeys } from '../util/verification-keys.js';
import type { VerifierConfig } from './verifier-options.js';
import { fetchText, type FetchFunction } from './web-fetch.js';

const TIMEOUT_MS = 5000;
/** A JWKS of a hundred keys has about 50 kB. */
const MAX_LENGTH = 1_048_576;
/** A key that was removed verifies for as long. */
const LONGEST_TRUST_SEC = 60;

/** Keys that the application has given. */
class GivenKeys implements VerificationKeys {
  readonly generation = 0;

  constructor(private readonly keys: readonly PublicJwk[]) {}

  find(kid: string | undefined): readonly PublicJwk[] {
    return kid === undefined ? this.keys : this.keys.filter((key) => key.kid === kid);
  }
}

/** Returns the keys that verify tokens: those of the options, or those that the API publishes. */
export function createKeySource(
  { keys, keysAddress, jwksRefreshIntervalSec }: VerifierConfig,
  clock: Clock,
  fetch: FetchFunction,
): VerificationKeys {
  if (keysAddress === undefined) return new GivenKeys(keys ?? []);
  return new JwksCache(clock, {
    hosts: [keysAddress],
    maxAgeMs: Math.min(jwksRefreshIntervalSec, LONGEST_TRUST_SEC) * 1000,
    load: async (address) => loadKeys(fetch, address),
  });
}

/**
 * Loads a JWKS.
 *
 * @throws {CoreUnavailableError} the API does not respond, or cannot for now
 * @throws {CoreResponseError} its response is no set of keys
 */
async function loadKeys(fetch: FetchFunction, address: string): Promise<readonly PublicJwk[]> {
  const init = { headers: { accept: 'application/json', 'cache-control': 'no-cache' } };
  const { status, text } = await fetchText(fetch, address, init, {
    timeoutMs: TIMEOUT_MS,
    maxLength: MAX_LENGTH,
  });
  if (status === 429 || status >= 500)
    throw new CoreUnavailableError(`The keys at ${address} cannot be read now: status ${status}`);
  const json = status === 200 ? parseJsonObject(text) : undefined;
  if (json === undefined)
    throw new CoreResponseError(
      `There is no JWKS at ${address}: status ${status}; check apiDomain, apiBasePath or jwksUri`,
    );
  try {
    return parsePublicKeys(json);
  } catch (error) {
    if (error instanceof UnexpectedResponse)
      throw new CoreResponseError(`There is no JWKS at ${address}: ${error.message}`);
    throw error;
  }
}
