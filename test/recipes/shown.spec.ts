import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { codeBlocks, guides } from '../docs/documents.js';

/** The files that the other specs of this folder run. */
const files = readdirSync('test/recipes/shown').map((name) => `test/recipes/shown/${name}`);
const shown = guides()
  .flatMap(codeBlocks)
  .map(({ code }) => code);

describe('the recipes in the guides', () => {
  it.each(files)('show the tested file: %s', (file) => {
    expect(shown.includes(readFileSync(file, 'utf8'))).toBe(true);
  });
});
