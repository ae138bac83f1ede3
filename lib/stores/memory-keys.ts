import {
  SessionStore,
  type StoredDynamicKey,
  type StoredKeyPlace,
  type StoredStaticKey,
} from './session-store.js';

/** The algorithm of a rotating key without a name of its algorithm. */
const RSA = 'RS256';

/** The half of the memory store that keeps keys. */
export abstract class MemoryKeyStore extends SessionStore {
  private readonly dynamicKeys: StoredDynamicKey[] = [];
  private readonly staticKeys: StoredStaticKey[] = [];
  private refreshTokenKey: string | undefined;

  override async getOrSetRefreshTokenKey(candidate: string): Promise<string> {
    return (this.refreshTokenKey ??= candidate);
  }

  override async findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]> {
    return this.dynamicKeys.filter((key) => key.createdAtMs >= sinceMs).sort(byNewest);
  }

  override async addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void> {
    const isTaken = this.dynamicKeys.some(
      ({ createdAtMs, algorithm }) =>
        createdAtMs === key.createdAtMs ||
        ((algorithm ?? RSA) === (key.algorithm ?? RSA) && createdAtMs >= unlessSinceMs),
    );
    if (!isTaken) this.dynamicKeys.push(key);
  }

  override async deleteDynamicKeys(beforeMs: number): Promise<void> {
    const kept = this.dynamicKeys.filter((key) => key.createdAtMs >= beforeMs);
    this.dynamicKeys.splice(0, this.dynamicKeys.length, ...kept);
  }

  override async findStaticKeys(): Promise<StoredStaticKey[]> {
    return [...this.staticKeys].sort(byNewest);
  }

  override async addStaticKey(key: StoredStaticKey): Promise<void> {
    if (!this.staticKeys.some((known) => known.algorithm === key.algorithm)) this.staticKeys.push(key);
  }

  override async replaceKey(place: StoredKeyPlace, from: string, to: string): Promise<boolean> {
    if (place.kind === 'refresh-token') {
      if (this.refreshTokenKey !== from) return false;
      this.refreshTokenKey = to;
      return true;
    }
    return place.kind === 'dynamic'
      ? replaceValue(
          this.dynamicKeys,
          (key) => key.createdAtMs === place.createdAtMs && key.algorithm === place.algorithm,
          from,
          to,
        )
      : replaceValue(this.staticKeys, (key) => key.kid === place.kid, from, to);
  }
}

/** Replaces the value of the one key that is meant, if it is still `from`. */
function replaceValue<Key extends { readonly value: string }>(
  keys: Key[],
  isMeant: (key: Key) => boolean,
  from: string,
  to: string,
): boolean {
  const index = keys.findIndex((key) => isMeant(key) && key.value === from);
  const found = keys[index];
  if (found === undefined) return false;
  keys[index] = { ...found, value: to };
  return true;
}

const byNewest = (a: { createdAtMs: number }, b: { createdAtMs: number }): number =>
  b.createdAtMs - a.createdAtMs;
