import { hash } from 'node:crypto';
import { DeviceCheckUnavailableError } from '../errors.js';
import type { ReplayStore } from '../options/replay-store.js';
import type { Clock } from '../util/clock.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import { withTimeout } from '../util/with-timeout.js';
import { ProofError } from './proof.js';

const RETRY_AFTER_SEC = 1;
/** The longest wait for a store of the application; that of Redis gives up earlier. */
const TIMEOUT_MS = 10_000;

/** The facts that are kept of a proof. */
export interface UsedProof {
  readonly jkt: string;
  readonly jti: string;
  /** When it may be forgotten, milliseconds since the epoch. */
  readonly untilMs: number;
}

/** Sees to it that no proof is used twice. Where that cannot be known, nothing passes. */
export class UsedProofs {
  private readonly warning: OccasionalWarning;

  constructor(
    private readonly store: ReplayStore,
    private readonly clock: Clock,
  ) {
    this.warning = new OccasionalWarning(clock);
  }

  /**
   * Keeps that a proof was used.
   *
   * @throws {ProofError} it was used before
   * @throws {DeviceCheckUnavailableError} the store is full, or fails
   */
  add({ jkt, jti, untilMs }: UsedProof): MaybePromise<void> {
    // Hashed, because a client may choose long ones. The key stands in front, because a `jti` is unique for it alone.
    const key = `${jkt}.${hash('sha256', jti, 'base64url').slice(0, 22)}`;
    let added: ReturnType<ReplayStore['add']>;
    try {
      added = this.store.add(key, untilMs, this.clock.now());
    } catch (error) {
      return this.fail(error);
    }
    if (typeof added === 'boolean') return assertAdded(added);
    const result = withTimeout(Promise.resolve(added), TIMEOUT_MS, `No response within ${TIMEOUT_MS} ms`);
    return result.then(assertAdded, (error: unknown) => this.fail(error));
  }

  private fail(cause: unknown): never {
    const message = 'The store of used DPoP proofs is full or fails';
    this.warning.warn(message, cause instanceof Error ? cause.message : String(cause));
    throw new DeviceCheckUnavailableError(message, RETRY_AFTER_SEC, { cause });
  }
}

/** @param isNew what a store of the application returned */
function assertAdded(isNew: unknown): void {
  if (isNew === true) return;
  throw new ProofError('it was used before');
}

/** The proofs that are forgotten together. */
interface Slice {
  readonly keys: Set<string>;
  /** How many of them each client has added since the store was half full. */
  readonly crowders: Map<string, number>;
}

/**
 * Keeps used proofs in the memory of this process. Those that may be forgotten within the same half minute are forgotten together, so
 * that no call takes many steps.
 */
export class MemoryReplayStore implements ReplayStore {
  private readonly slices = new Map<number, Slice>();
  private count = 0;

  /** @param maxProofs about 150 bytes each */
  constructor(
    private readonly clock: Clock,
    private readonly maxProofs: number = MAX_PROOFS,
  ) {}

  get size(): number {
    return this.count;
  }

  /** @throws {Error} there is no room */
  add(key: string, untilMs: number): boolean {
    this.forget();
    for (const { keys } of this.slices.values()) if (keys.has(key)) return false;
    const end = Math.ceil(untilMs / SLICE_MS);
    let slice = this.slices.get(end);
    if (slice === undefined) this.slices.set(end, (slice = { keys: new Set(), crowders: new Map() }));
    if (this.count >= this.maxProofs / 2) this.assertRoom(slice, key.slice(0, OWNER_LENGTH));
    slice.keys.add(key);
    this.count += 1;
    return true;
  }

  /** Keeps half of the room free of clients that send very many proofs, so that one of them does not stop all others. */
  private assertRoom({ crowders }: Slice, owner: string): void {
    if (this.count >= this.maxProofs)
      throw new Error(`${this.maxProofs} proofs are kept, which is the limit`);
    const added = crowders.get(owner) ?? 0;
    if (added >= this.maxProofs / CROWDED_SHARE)
      throw new Error('One client uses more proofs than its share while the store is half full');
    crowders.set(owner, added + 1);
  }

  private forget(): void {
    const now = this.clock.now();
    for (const [end, { keys }] of this.slices) {
      if (end * SLICE_MS > now) continue;
      this.slices.delete(end);
      this.count -= keys.size;
    }
  }
}

const MAX_PROOFS = 262_144;
/** The length of the thumbprint that begins each key. */
const OWNER_LENGTH = 43;
const SLICE_MS = 30_000;
/** One client adds at most this part of the room to a slice, once the store is half full. */
const CROWDED_SHARE = 64;
