import { CoreError, CoreUnavailableError } from '../../errors.js';
import { withTimeout } from '../../util/with-timeout.js';
import type { CoreCalls } from '../core-calls.js';
import type { SessionStore } from '../../stores/session-store.js';
import type { StoreGate } from './store-gate.js';

/**
 * Nobody waits longer for a store, so that those who share an answer that never comes ask again. Drivers give up sooner;
 * this is above the minute that one of them allows a step of a migration, which the first calls wait for.
 */
export const STORE_PATIENCE_MS = 90_000;
const LATE = `No answer within ${STORE_PATIENCE_MS / 1000} s`;

/**
 * The same store, whose failures are `CoreUnavailableError`s: whatever a driver throws, or when it says nothing at all,
 * the request ends in a retryable 503 and never in a decision about the session.
 *
 * @param gate what all calls go through but `close`, which comes after them. A call that it refuses is no outage: nobody
 *   hears of it but the caller
 */
export function withUnavailableErrors(store: SessionStore, calls: CoreCalls, gate: StoreGate): SessionStore {
  return new Proxy(store, {
    get(target, name): unknown {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        const call = async (): Promise<unknown> =>
          calls.run(`store.${String(name)}`, async () => {
            try {
              const answer = Reflect.apply(member, target, args) as Promise<unknown>;
              return await withTimeout(answer, STORE_PATIENCE_MS, LATE, { keepsProcess: false });
            } catch (error) {
              if (error instanceof CoreError) throw error; // the store knows better what went wrong
              throw new CoreUnavailableError(`The session store failed at ${String(name)}`, { cause: error });
            }
          });
        return name === 'close' ? call() : gate.pass(call);
      };
    },
  });
}
