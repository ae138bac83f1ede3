import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { BREAKS } from '../../scripts/flow-breaks/list.mjs';
import { SPECS } from './spec-files.js';

describe('the breaks of flows', () => {
  it('are at least sixty, each with a name of its own', () => {
    const names = BREAKS.map(({ name }) => name);
    expect(names.length).toBeGreaterThanOrEqual(60);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(BREAKS)('can be planted: $name', ({ file, from, to }) => {
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, 'utf8').split(from)).toHaveLength(2); // there exactly once
    expect(to).not.toBe(from);
  });

  it.each(BREAKS)('is looked for by specs that exist: $name', ({ specs }) => {
    expect(specs).not.toEqual([]);
    for (const spec of specs) {
      const part = spec.startsWith('lib/') ? spec : `test/${spec}`;
      expect(SPECS.filter((path) => path.includes(part))).not.toEqual([]);
    }
  });
});
