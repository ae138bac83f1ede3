import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { importsOf, libSources, type LibSource } from './lib-sources.js';

/** A ratchet: lower it with what goes. The aim is 140 files and 18,000 lines. */
const MAX_FILES = 349;
const MAX_LINES = 46_720;
const MAX_LINES_OF_A_FILE = 350;
const MAX_LINES_OF_A_FUNCTION = 40;
const ROOT = [
  'errors.ts',
  'index.ts',
  'session.constants.ts',
  'session.controller.ts',
  'session.decorators.ts',
  'session.filter.ts',
  'session.guard.ts',
  'session.module.ts',
  'session.options.ts',
  'session.service.ts',
];
/** These have doors of their own and are not on the way of a request. */
const APART = /^lib\/(testing|doctor|cli|verify|schematics|dashboard)\//;

const all = libSources();
const sources = all.filter(({ path }) => !APART.test(path));

function linesOf({ tree }: LibSource): number {
  return tree.text.split('\n').length - 1;
}

/** `file: name (lines)` of the functions that are longer than allowed, comments in front not counted. */
function longFunctions({ path, tree }: LibSource): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const first = tree.getLineAndCharacterOfPosition(node.getStart()).line;
      const last = tree.getLineAndCharacterOfPosition(node.end).line;
      const lines = last - first + 1;
      if (lines > MAX_LINES_OF_A_FUNCTION)
        found.push(`${path}: ${node.name?.getText() ?? 'function'} (${lines})`);
    }
    node.forEachChild(visit);
  };
  visit(tree);
  return found;
}

/** Cycles among all imports, those of types included. */
function cycles(): string[] {
  const graph = new Map(
    all.map((file) => [
      file.path,
      [...new Set(importsOf(file).map(({ target }) => target))].filter((target) => target.startsWith('lib/')),
    ]),
  );
  const finished = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    else if (!finished.has(path)) {
      for (const target of graph.get(path) ?? []) walk(target, [...trail, path]);
      finished.add(path);
    }
  };
  for (const path of graph.keys()) walk(path, []);
  return found;
}

describe('the size of lib/', () => {
  it('has ten files at its root, each named for its role', () => {
    const files = readdirSync('lib', { withFileTypes: true }).filter((entry) => entry.isFile());
    const names = files.map(({ name }) => name).filter((name) => !name.endsWith('.spec.ts'));
    expect(names.toSorted()).toEqual(ROOT);
  });

  it(`stays within ${MAX_FILES} files and ${MAX_LINES} lines, beside the testing kit, the doctor and the dashboard`, () => {
    expect(sources.length).toBeLessThanOrEqual(MAX_FILES);
    expect(sources.reduce((sum, file) => sum + linesOf(file), 0)).toBeLessThanOrEqual(MAX_LINES);
  });

  it('has no file that is longer than one thought', () => {
    const long = all.filter((file) => linesOf(file) > MAX_LINES_OF_A_FILE);
    expect(long.map((file) => `${file.path} (${linesOf(file)})`)).toEqual([]);
  });

  it('has no function that does not fit on a screen', () => {
    expect(all.flatMap(longFunctions)).toEqual([]);
  });

  it('has no cycle of imports, types included', () => {
    expect(cycles()).toEqual([]);
  });

  it('is described in CONTRIBUTING.md: every folder is named there', () => {
    const contributing = readFileSync('CONTRIBUTING.md', 'utf8');
    const folders = readdirSync('lib', { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${entry.parentPath}/${entry.name}/`.replace(/^.*?lib\//, ''));
    expect(folders.filter((folder) => !contributing.includes(`\`${folder}\``))).toEqual([]);
  });
});
