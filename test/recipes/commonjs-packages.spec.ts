import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { compiledScript } from '../support/compiled-script.js';

const ADAPTERS = ['express', 'fastify'] as const;

/** The responses that the clients of programs/commonjs-packages.ts got, which runs in a process of its own. */
let seen: Record<string, { bodies: string[]; statuses: Record<string, number> }>;

beforeAll(async () => {
  const program = new URL('programs/commonjs-packages.ts', import.meta.url);
  const script = await compiledScript(program, { isDecorated: true });
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', script]);
    seen = JSON.parse(stdout) as typeof seen;
  } finally {
    rmSync(script, { force: true });
  }
});

describe.each(ADAPTERS)('the recipe for @nestjs/throttler on %s', (adapter) => {
  it('counts users apart from each other, on all of their devices, and strangers by address', () => {
    expect(seen[adapter]?.statuses).toEqual({ ada: 429, adasPhone: 429, bob: 200, stranger: 200 });
  });
});

describe.each(ADAPTERS)('the recipe for nestjs-cls on %s', (adapter) => {
  it('gives each request its own user, also when they run at the same time', () => {
    expect(seen[adapter]?.bodies).toEqual(['ada drinks', 'bob drinks', 'a stranger drinks']);
  });
});
