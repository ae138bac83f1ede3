import { MemoryStore } from '../../lib/stores/memory.store.js';
import { embeddedCoreOn, seededMemoryStore } from '../support/embedded.js';
import { describeCoreClient } from './core-client.contract.js';
import { describeEmbeddedCoreOn } from './embedded-core.contract.js';

describeCoreClient('in this process, on memory', async (options) => {
  const store = await seededMemoryStore();
  const { core, clock } = embeddedCoreOn(store, options);
  const opened = [core];
  return {
    core,
    clock,
    another: async () => {
      const next = embeddedCoreOn(store, options, clock).core;
      opened.push(next);
      return next;
    },
    close: async () => {
      await Promise.all(opened.map((each) => each.close()));
    },
  };
});

describeEmbeddedCoreOn('memory', async () => new MemoryStore());
