import { MemoryStore } from '../../lib/stores/memory.store.js';
import {
  SessionStore,
  type LimitedInsert,
  type SessionChange,
  type SessionCondition,
  type SessionKey,
  type SessionRow,
  type SessionsOfUsers,
  type StoredDynamicKey,
  type StoredStaticKey,
} from '../../lib/stores/session-store.js';
import type { StoreCall } from './operations.js';

/** Takes a call of the store and decides when, and how, it ends. */
export type Park = (call: StoreCall) => Promise<unknown>;

/**
 * A store whose calls about sessions wait until the explorer lets them go on. It inherits `findAndUpdate`, which is two calls, so that
 * another party may act between them. Calls about keys are served at once by a memory store: keys do not change here.
 */
export class ParkedStore extends SessionStore {
  constructor(
    private readonly keys: MemoryStore,
    private readonly park: Park,
  ) {
    super();
  }

  override async findSession(...args: [SessionKey]): Promise<SessionRow | undefined> {
    return (await this.park({ method: 'findSession', args })) as SessionRow | undefined;
  }

  override async update(
    ...args: [SessionKey, SessionCondition, SessionChange]
  ): Promise<SessionRow | undefined> {
    return (await this.park({ method: 'update', args })) as SessionRow | undefined;
  }

  override async deleteSessions(keys: readonly SessionKey[]): Promise<string[]> {
    return (await this.park({ method: 'deleteSessions', args: [keys] })) as string[];
  }

  override async deleteSessionsOfUsers(input: SessionsOfUsers): Promise<string[]> {
    return (await this.park({ method: 'deleteSessionsOfUsers', args: [input] })) as string[];
  }

  override async deleteExpiredSessions(...args: [number, number]): Promise<{ mayHaveMore: boolean }> {
    return (await this.park({ method: 'deleteExpiredSessions', args })) as { mayHaveMore: boolean };
  }

  override async insertSession(row: SessionRow): Promise<void> {
    await this.keys.insertSession(row);
  }

  override async insertSessionWithinLimit(): Promise<LimitedInsert> {
    throw new Error('The model creates its session without a limit');
  }

  override async findSessionHandlesOfUsers(): Promise<string[]> {
    throw new Error('The model lists no sessions');
  }

  override async getOrSetRefreshTokenKey(candidate: string): Promise<string> {
    return this.keys.getOrSetRefreshTokenKey(candidate);
  }

  override async findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]> {
    return this.keys.findDynamicKeys(sinceMs);
  }

  override async addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void> {
    await this.keys.addDynamicKey(key, unlessSinceMs);
  }

  override async deleteDynamicKeys(): Promise<void> {}

  override async findStaticKeys(): Promise<StoredStaticKey[]> {
    return this.keys.findStaticKeys();
  }

  override async addStaticKey(key: StoredStaticKey): Promise<void> {
    await this.keys.addStaticKey(key);
  }
}

/** The result of one call on a store with at most one row. */
export interface Applied {
  readonly value: unknown;
  readonly row: SessionRow | undefined;
}

/** Makes a call on a real memory store that holds this row alone. */
export async function applyToRow(row: SessionRow | undefined, call: StoreCall): Promise<Applied> {
  const store = new MemoryStore();
  if (row !== undefined) await store.insertSession(row);
  const method = store[call.method] as (...args: readonly unknown[]) => Promise<unknown>;
  const value = await method.apply(store, [...call.args]);
  const key = row ?? keyOf(call);
  return { value, row: key && (await store.findSession(key)) };
}

/** An update or a read names its session; where no row was, none of the calls may make one. */
function keyOf({ method, args }: StoreCall): SessionKey | undefined {
  return method === 'findSession' || method === 'update' ? (args[0] as SessionKey) : undefined;
}
