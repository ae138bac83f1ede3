import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { build } from 'esbuild';
import { overrideSessions, SessionTestingModule, TestClock, testSessions } from 'nest-sessions/testing';
import * as kit from 'nest-sessions/testing';

/** The files that an import of a door loads. */
async function filesBehind(door: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [door],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    metafile: true,
    write: false,
    logLevel: 'error',
  });
  return Object.keys(metafile.inputs);
}

describe('the testing kit in production', () => {
  const before = process.env['NODE_ENV'];
  beforeEach(() => {
    process.env['NODE_ENV'] = 'production';
  });
  afterEach(() => {
    process.env['NODE_ENV'] = before;
  });

  const ENTRIES: readonly [string, () => unknown][] = [
    ['overrideSessions', () => overrideSessions(Test.createTestingModule({}))],
    ['SessionTestingModule', () => SessionTestingModule.forRoot()],
    ['testSessions', () => testSessions(undefined as never)],
    ['TestClock', () => new TestClock()],
  ];

  it.each(ENTRIES)('refuses %s and says why (S108)', (name, use) => {
    expect(use).toThrow(`${name} of nest-sessions/testing refuses to work with NODE_ENV=production`);
    process.env['NODE_ENV'] = ' Production ';
    expect(use).toThrow('refuses to work');
  });

  it('refuses every entry that the door has (S108)', () => {
    const callable = Object.entries(kit).filter(([, value]) => typeof value === 'function');
    const results = ['TestAgent', 'TestSession', 'TestSessions', 'StolenSession']; // their constructors are not public
    expect(
      callable
        .map(([name]) => name)
        .filter((name) => !results.includes(name))
        .toSorted(),
    ).toEqual(ENTRIES.map(([name]) => name).toSorted());
  });

  it('keeps the kit out of what the main door loads (S108)', async () => {
    const isOfTheKit = (file: string): boolean => file.startsWith('lib/testing/');
    expect((await filesBehind('lib/index.ts')).filter(isOfTheKit)).toEqual([]);
    expect((await filesBehind('lib/testing/index.ts')).some(isOfTheKit)).toBe(true);
  });
});
