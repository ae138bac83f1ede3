import { createHook } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { signJwt } from './jws.js';
import { newStoredKeyPair, parseKeyPair } from './key-pairs.js';

const CLAIMS = { sub: 'user-1' };

/** Counts the signatures that the thread pool makes. */
async function signaturesInThreadPool(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const hook = createHook({ init: (_id, type) => (count += type === 'SIGNREQUEST' ? 1 : 0) }).enable();
  await work();
  hook.disable();
  return count;
}

describe('signing many tokens at once', () => {
  it('makes at most one RS256 signature in a turn of the event loop, so that other requests go on', async () => {
    const key = await parseKeyPair('d-1', 1, await newStoredKeyPair('RS256'));
    const burst = async (): Promise<unknown> =>
      Promise.all(Array.from({ length: 40 }, async () => signJwt(CLAIMS, key, 5)));
    expect(await signaturesInThreadPool(burst)).toBeGreaterThanOrEqual(39);
  });
});
