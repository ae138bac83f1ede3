import type { MaybePromise } from './maybe-promise.js';

/**
 * A public key as published in a JWKS: never a private member.
 *
 * @publicApi
 */
export interface PublicJwk {
  readonly kty: string;
  readonly kid: string;
  readonly alg?: string;
  readonly use?: string;
  readonly n?: string;
  readonly e?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
}

/**
 * The set of keys that tokens verify with; the verifier does not know whether they come from this process or from a
 * SuperTokens Core.
 *
 * @publicApi
 */
export interface VerificationKeys {
  /**
   * Returns the key of that id, loading the set again if it has not been seen (at most once per cool-down); without an id
   * all keys, newest first (tokens older than version 3 name none). Empty when there is no such key.
   *
   * @returns the keys themselves where they are at hand: the guard then lets a request through without a promise
   * @throws when the set cannot be loaded and the key is not known
   */
  find(kid: string | undefined): MaybePromise<readonly PublicJwk[]>;
  /**
   * For tokens that name no key and are proven by none of those that are known: the set is loaded again (at most once per
   * cool-down), and the keys that came with it are answered. A set that leaves this out has no other keys.
   *
   * @throws when the set cannot be loaded
   */
  findOthers?(known: readonly PublicJwk[]): Promise<readonly PublicJwk[]>;
  /** Grows whenever a key has left the set: what was verified before must be verified again. */
  readonly generation: number;
}
