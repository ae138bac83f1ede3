import type { MaybePromise } from './maybe-promise.js';

/**
 * A public key as published in a JWKS, without private members.
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
 * The set of keys that verify tokens. It can come from this process or from a SuperTokens Core.
 *
 * @publicApi
 */
export interface VerificationKeys {
  /**
   * Returns the key of this id, and loads the set again if the id is unknown (at most once per cool-down). Without an id,
   * returns all keys, newest first (tokens before version 3 have no key id). Empty if there is no such key.
   *
   * @returns the keys themselves if they are available without waiting: the guard then needs no promise
   * @throws if the set cannot be loaded and the key is unknown
   */
  find(kid: string | undefined): MaybePromise<readonly PublicJwk[]>;
  /**
   * Loads the set again (at most once per cool-down) and returns its new keys, for tokens that have no key id and verify with
   * no known key. A set without this method has no other keys.
   *
   * @throws if the set cannot be loaded
   */
  findOthers?(known: readonly PublicJwk[]): Promise<readonly PublicJwk[]>;
  /**
   * True if the set is older than it may be, so that it has to be loaded before a token is judged: remembered tokens are then
   * verified again, and {@link find} waits for the load. A set without this property is never too old.
   */
  readonly isDue?: boolean;
  /** Increases when a key has left the set, because cached verifications are invalid then. */
  readonly generation: number;
  /** When the newest rotating key was made, milliseconds since the epoch; undefined while none is known. A set without this property does not say. */
  readonly newestKeyMs?: number | undefined;
}

/** Returns when the newest of these keys was made that rotate, milliseconds since the epoch; undefined if none does. */
export function newestKeyMs(keys: readonly { readonly kid: string }[]): number | undefined {
  const times = keys.map(({ kid }) => rotatingKeyMs(kid)).filter((timeMs) => timeMs !== undefined);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Returns when a rotating key was made, milliseconds since the epoch, as its id says; undefined for other keys. */
export function rotatingKeyMs(kid: string): number | undefined {
  const timeMs = /^d-(\d{1,15})$/.exec(kid)?.[1];
  return timeMs === undefined ? undefined : Number(timeMs);
}
