import type { AccessTokenInfo } from './access-token.js';

/**
 * Remembers tokens whose signature has been proven, keyed by the whole token. Bounded: when it is full the oldest
 * entry makes room, so a flood of tokens costs the others at most a second verification.
 */
export class VerifiedTokenCache {
  private readonly entries = new Map<string, AccessTokenInfo>();
  private generation = 0;
  private revocations = 0;

  /** @param maxEntries 0 switches the cache off */
  constructor(private readonly maxEntries: number) {}

  get size(): number {
    return this.entries.size;
  }

  /** Grows whenever sessions are forgotten: a proof that began before is not kept. */
  get epoch(): number {
    return this.revocations;
  }

  /** @param generation that of the key set; when a key has left it, everything remembered is forgotten */
  get(token: string, generation: number): AccessTokenInfo | undefined {
    if (generation !== this.generation) {
      this.entries.clear();
      this.generation = generation;
    }
    return this.entries.get(token);
  }

  /** @param before generation of the key set and epoch before the token was verified; a stale proof is not kept */
  set(token: string, info: AccessTokenInfo, before: { generation: number; epoch: number }): void {
    if (this.maxEntries === 0 || before.generation !== this.generation || before.epoch !== this.revocations)
      return;
    if (this.entries.size >= this.maxEntries) {
      const oldest = this.entries.keys().next();
      if (!oldest.done) this.entries.delete(oldest.value);
    }
    this.entries.set(token, info);
  }

  delete(token: string): void {
    this.entries.delete(token);
  }

  /** Forgets every token of these sessions. */
  deleteSessions(sessionHandles: readonly string[]): void {
    if (sessionHandles.length === 0) return;
    this.revocations++;
    const handles = new Set(sessionHandles);
    for (const [token, info] of this.entries) {
      if (handles.has(info.sessionHandle)) this.entries.delete(token);
    }
  }
}
