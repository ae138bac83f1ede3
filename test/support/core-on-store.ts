import type { SessionStore } from '../../lib/stores/session-store.js';
import type { CoreOptions, CoreUnderTest } from '../contract/core-under-test.js';
import { embeddedCoreOn, seedSigningKeys } from './embedded.js';

/**
 * An embedded core, and others beside it, on stores that share one database.
 *
 * @param openStore a store on the same database with each call; there are no sessions in it at first
 */
export async function coreOnStores(
  openStore: () => SessionStore,
  options?: CoreOptions,
): Promise<CoreUnderTest> {
  const first = openStore();
  await seedSigningKeys(first);
  const { core, clock } = embeddedCoreOn(first, options);
  const opened = [core];
  return {
    core,
    clock,
    another: async () => {
      const next = embeddedCoreOn(openStore(), options, clock).core;
      opened.push(next);
      return next;
    },
    close: async () => {
      await Promise.all(opened.map((each) => each.close()));
    },
  };
}
