import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sqliteStore, type Sessions } from 'nest-sessions/standalone';
import { TestClock } from '../../lib/testing/test-clock.js';
import { compiledScript } from '../support/compiled-script.js';
import { shopOn, signIn, type Outcome } from '../support/shell.js';

const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-binary-'));
const file = join(folder, 'sessions.db');
let script: string;
let shop: Sessions;

beforeAll(async () => {
  script = await compiledScript(new URL('../../lib/cli/cli.ts', import.meta.url));
  shop = await shopOn(sqliteStore(file), new TestClock());
});
afterAll(async () => {
  await shop.close();
  rmSync(folder, { recursive: true });
  rmSync(script);
});

/** Runs the command in a process of its own, as a script would: without a terminal. */
async function run(
  argv: readonly string[],
  { env = {}, input = '' }: { env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, ['--no-warnings', script, ...argv], {
    env: { ...process.env, ...env },
  });
  child.stdin.end(input);
  const ended = new Promise<number>((resolve, reject) =>
    child.on('error', reject).on('close', (code) => resolve(code ?? -1)),
  );
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, stdout, stderr };
}

describe('the command nest-sessions', () => {
  it('loads nothing of Nest', () => {
    const imported = [...readFileSync(script, 'utf8').matchAll(/(?:from|import\()\s*"([^".][^"]*)"/g)].map(
      ([, name]) => name,
    );
    expect(imported.filter((name) => /nestjs|reflect-metadata|rxjs/.test(name ?? ''))).toEqual([]);
    expect(imported).toContain('node:process');
  });

  it('lists and ends sessions of a store that the environment names', async () => {
    const { handle } = await signIn(shop, { userId: 'ada' });
    const env = { NEST_SESSIONS_STORE: `sqlite:${file}` };
    const listed = await run(['sessions', 'list', '--user', 'ada'], { env });
    expect({ code: listed.code, stderr: listed.stderr }).toEqual({ code: 0, stderr: '' });
    expect(listed.stdout).toContain(handle);
    await signIn(shop, { userId: 'ada' });
    const refused = await run(['sessions', 'end', '--user', 'ada'], { env, input: 'y\n' });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('there is no terminal to ask');
    expect((await run(['sessions', 'end', '--user', 'ada', '--yes'], { env })).stdout).toBe(
      'Ended 2 sessions of ada.\n',
    );
  });

  it('is the doctor, too', async () => {
    const { code, stderr } = await run(['doctor']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'nest-sessions: the address of the API is missing\nTry: npx nest-sessions doctor --help\n',
    });
  });

  it('ends with 3 where the store does not respond, and never prints the password of its address', async () => {
    for (const store of [
      'postgres://ada:s3cr%24t-pass@127.0.0.1:1/shop',
      'redis://ada:s3cr%24t-pass@127.0.0.1:1',
    ]) {
      const { code, stdout, stderr } = await run(['stats', '--store', store]);
      expect(code).toBe(3);
      expect(stderr).toContain('nest-sessions: ');
      expect(stdout + stderr).not.toMatch(/s3cr/);
    }
  });

  it('reads the options of an application from a module, and says what is wrong with one', async () => {
    const write = (name: string, code: string): string => {
      const path = join(folder, name);
      writeFileSync(path, code);
      return path;
    };
    const nothing = await run(['stats', '--config', write('nothing.mjs', 'export const x = 1;')]);
    expect(nothing.stderr).toContain('has no such default export');
    const broken = await run([
      'stats',
      '--config',
      write('broken.mjs', 'throw new Error("no \\u001b[2J database");'),
    ]);
    expect(broken.stderr).toContain(String.raw`cannot be loaded: no \u{1b}[2J database`);
    const wrong = await run([
      'stats',
      '--config',
      write('wrong.mjs', 'export default { appInfo: { appName: "Shop" }, audt: true };'),
    ]);
    expect(wrong.stderr).toMatch(/audt.*did you mean audit\?/);
    const typed = await run([
      'stats',
      '--config',
      write('typed.ts', 'enum Kind { A }\nexport default { kind: Kind.A };'),
    ]);
    expect(typed.stderr).toMatch(/cannot run .*typed\.ts: from 22\.18 on/);
    for (const { code } of [nothing, broken, wrong, typed]) expect(code).toBe(2);
  });
});
