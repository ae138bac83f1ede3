import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { libSources, type LibSource } from './lib-sources.js';

/**
 * A smoke alarm for sentences that have to be read twice (CONTRIBUTING.md, "Plain words"). It counts three habits; passing
 * it proves no good style. jose is at 0.3 %, 0.4 % and 1.2 %.
 */
const HEADLESS = /^(Who|What|Whoever|Whatever|Where|Whose|Whom|Nobody|Nothing)\b(?!.*\?)/;
const VAGUE = /\b(nobody|nothing|somebody|anybody)\b/i;
const PREPOSITION = /[a-z](Of|For|From|To|By|With|In|On|At|Into)$/;
const SECTION_SIGN_ONLY = /^§[\d.]+\.?$/;

const MAX_SENTENCES_PERCENT = 1;
const MAX_FUNCTION_NAMES_PERCENT = 5;

const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'sample/README.md',
  ...readdirSync('docs/guides', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs/guides', name)),
];

/** The comments of a file, without markers, examples and tags. */
function commentsOf({ tree }: LibSource): string[] {
  const { text } = tree;
  const found = new Map<number, string>();
  const visit = (node: ts.Node): void => {
    const ranges = [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.end) ?? []),
    ];
    for (const { pos, end } of ranges) found.set(pos, plainComment(text.slice(pos, end)));
    node.forEachChild(visit);
  };
  visit(tree);
  return [...found.values()];
}

function plainComment(comment: string): string {
  return comment
    .replace(/^\/\*\*?|\*\/$/g, '')
    .replace(/^\s*(\* ?|\/\/ ?)/gm, '')
    .replace(/@example[\s\S]*?(?=\n@|$)/g, '')
    .replace(/@\w+( \{[^}]*\})?/g, '. ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The paragraphs, list items and table cells of a document, without code. */
function paragraphsOf(markdown: string): string[] {
  return markdown
    .replace(/```[\s\S]*?```|<!--[\s\S]*?-->/g, '')
    .replace(/^#.*$/gm, '')
    .split(/\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) ?)|\|/)
    .map((paragraph) =>
      paragraph
        .replace(/^\s*(?:[-*]|\d+\.)\s/, '')
        .replace(/\s+/g, ' ')
        .trim(),
    );
}

function sentencesOf(paragraphs: readonly string[]): string[] {
  return paragraphs
    .flatMap((paragraph) => paragraph.split(/(?<=[.;:!?])\s+/))
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence.length >= 8);
}

function functionNamesOf({ tree }: LibSource): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    const isNamed = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
    if (isNamed && node.body && node.name) names.push(node.name.getText());
    else if (
      ts.isVariableDeclaration(node) &&
      node.initializer &&
      (ts.isArrowFunction(node.initializer) || ts.isFunctionExpression(node.initializer))
    )
      names.push(node.name.getText());
    node.forEachChild(visit);
  };
  visit(tree);
  return names;
}

/** The matching lines; empty while their share of all is within the limit. */
function beyond(percent: number, all: readonly string[], pattern: RegExp): string[] {
  const matching = all.filter((line) => pattern.test(line));
  return (100 * matching.length) / all.length <= percent ? [] : matching;
}

const sources = libSources();
const comments = sources.flatMap(commentsOf);

describe('plain words', () => {
  it.each([
    ['comments in lib/', sentencesOf(comments)],
    [
      'README, guides and the other documents',
      sentencesOf(DOCUMENTS.flatMap((path) => paragraphsOf(readFileSync(path, 'utf8')))),
    ],
  ])('in %s: sentences have a subject', (_where, sentences) => {
    expect(beyond(MAX_SENTENCES_PERCENT, sentences, HEADLESS)).toEqual([]);
    expect(beyond(MAX_SENTENCES_PERCENT, sentences, VAGUE)).toEqual([]);
  });

  it('in lib/: function names do not end in a preposition', () => {
    expect(beyond(MAX_FUNCTION_NAMES_PERCENT, sources.flatMap(functionNamesOf), PREPOSITION)).toEqual([]);
  });

  it('in lib/: a comment is more than a section sign', () => {
    expect(comments.filter((comment) => SECTION_SIGN_ONLY.test(comment))).toEqual([]);
  });
});
