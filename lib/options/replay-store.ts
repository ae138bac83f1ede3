/**
 * Keeps which proofs have been used. `deviceBound.dpop.replay` takes one; it has to be shared by all instances, and to respond at
 * once or throw: a request whose proof cannot be looked up gets 503.
 *
 * @publicApi
 */
export interface ReplayStore {
  /**
   * Keeps a proof.
   *
   * @param key names the proof, at most 100 characters
   * @param untilMs when it may be forgotten, milliseconds since the epoch
   * @param nowMs the present by the same clock, for a store that counts a time to live
   * @returns false if it is there already
   */
  add(key: string, untilMs: number, nowMs: number): Promise<boolean> | boolean;
}
