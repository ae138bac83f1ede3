import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { libSources, type LibSource } from './lib-sources.js';

/** Lines for which a Nest signature leaves no choice: their text, by file. */
const FORCED_BY_NEST: Readonly<Record<string, readonly string[]>> = {};

function linesWithAny({ path, tree }: LibSource): string[] {
  const lines: string[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart());
      lines.push(tree.text.split('\n')[line]?.trim() ?? '');
    }
    node.forEachChild(visit);
  };
  visit(tree);
  return lines.filter((line) => !FORCED_BY_NEST[path]?.includes(line)).map((line) => `${path}: ${line}`);
}

describe('types in lib/', () => {
  it('contain no any, except where a Nest signature forces it', () => {
    expect(libSources().flatMap(linesWithAny)).toEqual([]);
  });
});
