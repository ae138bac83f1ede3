import { createPublicKey } from 'node:crypto';
import type { MaybePromise } from '../../lib/util/maybe-promise.js';
import type { PublicJwk, VerificationKeys } from '../../lib/util/verification-keys.js';
import { DYNAMIC_TEST_KEY } from '../fixtures/signing-keys.js';
import { DYNAMIC_TEST_KID } from './embedded.js';

/** The public half of a stored key as a JWKS shows it, without `alg` and `use`. */
export function publicJwkOf(stored: string, kid: string): PublicJwk {
  const [publicDer = ''] = stored.split('|');
  const key = createPublicKey({ key: Buffer.from(publicDer, 'base64'), format: 'der', type: 'spki' });
  return { ...(key.export({ format: 'jwk' }) as Omit<PublicJwk, 'kid'>), kid };
}

/** A key set that a test fills, and that counts who asks. */
export class TestKeySet implements VerificationKeys {
  readonly asked: (string | undefined)[] = [];
  generation = 0;
  /** When set, the set cannot be had. */
  failure: Error | undefined;

  constructor(private keys: readonly PublicJwk[] = [publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID)]) {}

  find(kid: string | undefined): MaybePromise<readonly PublicJwk[]> {
    this.asked.push(kid);
    if (this.failure) return Promise.reject(this.failure);
    return Promise.resolve(this.keys.filter((key) => kid === undefined || key.kid === kid));
  }

  /** Takes a key out, as a rotation does. */
  remove(kid: string): void {
    this.keys = this.keys.filter((key) => key.kid !== kid);
    this.generation++;
  }
}
