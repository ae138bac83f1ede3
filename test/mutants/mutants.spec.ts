import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { SCENARIOS } from '../prove/scenarios.js';
import { filesOf, mutated, MUTANTS } from './list.mjs';
import { SPECS } from './spec-files.js';

describe('the planted bugs', () => {
  it('are at least forty, each with a name of its own', () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(names.length).toBeGreaterThanOrEqual(40);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(MUTANTS)('can be planted: $name', (mutant) => {
    expect(mutant.edits.length).toBeGreaterThan(0);
    for (const file of filesOf(mutant)) {
      expect(existsSync(file)).toBe(true);
      const source = readFileSync(file, 'utf8');
      expect(mutated(mutant, file, source)).not.toBe(source);
    }
  });

  it('are looked for by models and tests that exist', () => {
    const models = [...SCENARIOS.map(({ name }) => name), 'feed'];
    for (const { models: wanted, specs } of MUTANTS) {
      expect([...wanted, ...specs]).not.toEqual([]);
      for (const model of wanted) expect(models).toContain(model);
      for (const spec of specs) expect(SPECS.filter((path) => path.includes(spec))).not.toEqual([]);
    }
  });
});
