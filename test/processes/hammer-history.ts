/** The work of a hammering process. */
export interface HammerTarget {
  readonly engine: 'postgres' | 'redis';
  readonly url: string;
  /** The schema, or the prefix of keys. */
  readonly place: string;
  readonly name: string;
  /** When it ends by itself, milliseconds since the epoch. */
  readonly endsAt: number;
  /** Calls that it makes in any case, because a busy machine may need all the time for its start. */
  readonly leastCalls: number;
  readonly sessions: readonly { handle: string; token: string }[];
}

/** A call that was acknowledged, or a revocation that begins; `key` is the merged name or the new refresh token. */
export interface HistoryEntry {
  readonly did: 'refresh' | 'verify' | 'merge' | 'revoking' | 'revoke';
  readonly handle: string;
  readonly key?: string;
  readonly startedAt: number;
  readonly endedAt: number;
}
