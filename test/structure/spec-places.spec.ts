import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';
import { describe, expect, it } from '@jest/globals';

const FOLDERS = [
  'benchmark',
  'browser',
  'cli',
  'contract',
  'core',
  'dashboard',
  'device-binding',
  'docs',
  'doctor',
  'e2e',
  'fixtures',
  'fuzz',
  'histories',
  'http',
  'load',
  'mutants',
  'mutation',
  'other-frameworks',
  'processes',
  'prove',
  'recipes',
  'sessions',
  'standalone',
  'structure',
  'support',
  'testing',
  'together',
  'types',
  'verify',
];

/** The TypeScript files of a folder, with what they import from `test/`. */
function filesOf(folder: string): { path: string; imports: string[] }[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name.replaceAll('\\', '/')))
    .map((path) => ({ path, imports: importsOf(path) }));
}

function importsOf(path: string): string[] {
  const found = readFileSync(path, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']*)'/g);
  return [...found].map(([, specifier = '']) => join(path, '..', specifier));
}

describe('the place of a test', () => {
  it('is beside the source when one unit is enough: such a spec starts neither an engine nor an application', () => {
    const outOfPlace = filesOf('lib').flatMap(({ path, imports }) =>
      imports
        .filter((target) => target.startsWith('test/') && !target.startsWith('test/fixtures/'))
        .map((target) => `${path} imports ${target}`),
    );
    expect(outOfPlace).toEqual([]);
  });

  it('is in one of the folders that test/README.md lists', () => {
    const folders = readdirSync('test', { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).sort()).toEqual(FOLDERS);
    const readme = readFileSync('test/README.md', 'utf8');
    expect(FOLDERS.filter((name) => !readme.includes(`\`${name}/\``))).toEqual([]);
  });

  it('of a fixture needs nothing that starts something', () => {
    const outOfPlace = filesOf('test/fixtures').flatMap(({ path, imports }) =>
      imports.filter((target) => target.startsWith('test/support/')).map((target) => `${path}: ${target}`),
    );
    expect(outOfPlace).toEqual([]);
  });
});
