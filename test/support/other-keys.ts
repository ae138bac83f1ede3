import { MemoryStore } from '../../lib/stores/memory.store.js';
import { FOREIGN_TEST_KEY } from '../fixtures/signing-keys.js';
import { DYNAMIC_TEST_KEY_CREATED_AT_MS } from './embedded.js';

/** A memory store with other signing keys than the usual ones, as the store of another application has. */
export async function storeWithOtherKeys(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const createdAtMs = DYNAMIC_TEST_KEY_CREATED_AT_MS + 1;
  await store.addDynamicKey({ createdAtMs, value: FOREIGN_TEST_KEY }, 0);
  await store.addStaticKey({ kid: 's-other', createdAtMs, value: FOREIGN_TEST_KEY, algorithm: 'RS256' });
  return store;
}
