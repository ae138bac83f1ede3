import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from '@jest/globals';
import { sqliteStore } from '../../lib/stores/sqlite.store.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { compiledScript } from '../support/compiled-script.js';
import { seedSigningKeys } from '../support/embedded.js';
import { instance } from '../support/feed-instance.js';

const script = await compiledScript(new URL('ending-process.ts', import.meta.url));
afterAll(() => rmSync(script));

interface Made {
  readonly handle: string;
  readonly accessToken: string;
}

/** Another process on a file, and a function that orders and waits for the response. */
function otherProcess(file: string): (order: string) => Promise<unknown> {
  const child = spawn(process.execPath, [script, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  closeAfterTest(async () => {
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  });
  return async (order) => {
    child.stdin.write(`${order}\n`);
    const { value } = (await lines.next()) as IteratorResult<string, undefined>;
    return JSON.parse(value ?? 'null');
  };
}

/** This process and another one on one file. */
async function twoProcesses(pollMs: number) {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-feed-'));
  closeAfterTest(async () => rmSync(folder, { recursive: true }));
  const file = join(folder, 'sessions.db');
  const store = sqliteStore(file);
  await seedSigningKeys(store);
  const here = await instance(store, undefined, { pollMs });
  return { here, order: otherProcess(file) };
}

describe('two processes on one SQLite file', () => {
  it('refuse with the next read what the other has ended, and nothing else (S047)', async () => {
    const { here, order } = await twoProcesses(60_000);
    expect(here.watch.state).toBe('polling');
    const [ending, staying] = [(await order('create')) as Made, (await order('create')) as Made];
    const accepted = async (): Promise<boolean[]> => [
      await here.accepts(ending.accessToken),
      await here.accepts(staying.accessToken),
    ];
    expect(await accepted()).toEqual([true, true]);
    expect(await order(`end ${ending.handle}`)).toEqual([ending.handle]);
    expect(await accepted()).toEqual([true, true]);
    await here.watch.read();
    expect(await accepted()).toEqual([false, true]);
    await order('end-all');
    await here.watch.read();
    expect(await accepted()).toEqual([false, false]);
  });

  it('need no call for that: the table is read at the interval', async () => {
    const { here, order } = await twoProcesses(50);
    const { handle, accessToken } = (await order('create')) as Made;
    expect(await here.accepts(accessToken)).toBe(true);
    await order(`end ${handle}`);
    while (await here.accepts(accessToken)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect([here.watch.state, here.watch.size]).toEqual(['polling', 1]);
  });
});
