import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
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

  it('are the rows of the table in test/README.md', () => {
    const [, chapter = ''] = readFileSync('test/README.md', 'utf8').split('## Breaks of flows\n');
    const rows = [...chapter.matchAll(/^\| (.*?)(?: \*)? +\| (\S+\.ts) +\| \S/gm)];
    expect(rows.map(([, name, file]) => `${name}: ${file}`)).toEqual(
      BREAKS.map(({ name, file }) => `${name}: ${basename(file)}`),
    );
    expect(chapter).toContain(`has ${BREAKS.length} further ones`);
  });
});
