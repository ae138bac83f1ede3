import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path/posix';
import { REPOSITORY } from '../../docs/.vitepress/pages.js';
import { slugOf } from '../../docs/.vitepress/slug.js';

/** A fenced block of a document. */
export interface CodeBlock {
  readonly document: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** The text of the HTML comment right before the block; empty without one. */
  readonly remark: string;
}

/** A link of a document to something that is not on another host. */
export interface LocalLink {
  readonly document: string;
  readonly line: number;
  /** As written, `../README.md#install` for example. */
  readonly target: string;
}

const FENCE = /^(\s*)(```+|~~~+)(.*)$/;
const REMARK = /^<!--\s*(.*?)\s*-->$/;
const LINK = /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g;
const REFERENCE = /^\[[^\]]+\]:\s+(\S+)/;

/** Documents whose blocks users copy. */
export function guides(): string[] {
  return ['README.md', ...markdownBelow('docs/guides')];
}

/** Every document of ours. */
export function documents(): string[] {
  const atTheTop = readdirSync('.').filter((name) => name.endsWith('.md'));
  return [...atTheTop, ...['docs', 'sample', 'test'].flatMap(markdownBelow)];
}

export function codeBlocks(document: string): CodeBlock[] {
  const lines = readFileSync(document, 'utf8').split('\n');
  const blocks: CodeBlock[] = [];
  for (let i = 0; i < lines.length; i++) {
    const [, indent = '', fence, language = ''] = FENCE.exec(lines[i] ?? '') ?? [];
    if (fence === undefined) continue;
    const end = lines.findIndex((line, at) => at > i && line.trim() === fence);
    if (end < 0) throw new Error(`${document}:${i + 1}: the block does not end`);
    const code = lines.slice(i + 1, end).map((line) => line.replace(indent, ''));
    blocks.push({
      document,
      line: i + 1,
      language: language.trim(),
      code: `${code.join('\n')}\n`,
      remark: remarkBefore(lines, i),
    });
    i = end;
  }
  return blocks;
}

/** The text outside of fenced blocks, with the numbers of its lines, from 1. */
export function prose(document: string): { line: number; text: string }[] {
  let fence: string | undefined;
  return readFileSync(document, 'utf8')
    .split('\n')
    .flatMap((text, i) => {
      const [, , mark] = FENCE.exec(text) ?? [];
      const isOutside = fence === undefined && mark === undefined;
      if (mark !== undefined) fence = fence === undefined ? mark : text.trim() === fence ? undefined : fence;
      return isOutside ? [{ line: i + 1, text }] : [];
    });
}

export function localLinks(document: string): LocalLink[] {
  return prose(document).flatMap(({ line, text }) =>
    [
      ...text.replaceAll(/`[^`]*`/g, '').matchAll(LINK),
      ...[REFERENCE.exec(text)].filter((match) => match !== null),
    ]
      .map((match) => withoutRepository(match[1] ?? '', document))
      .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
      .map((target) => ({ document, line, target })),
  );
}

/** A link to a file of the project, by its address on the repository, as the path that it would have without that. */
function withoutRepository(target: string, document: string): string {
  const prefix = `${REPOSITORY}/blob/main/`;
  return target.startsWith(prefix) ? relative(dirname(document), target.slice(prefix.length)) : target;
}

/** The anchors of a document: its headings as GitHub turns them into names, and `id`s. */
export function anchors(document: string): Set<string> {
  const found = new Map<string, number>();
  const names = new Set<string>();
  for (const { text } of prose(document)) {
    const [, heading] = /^#{1,6}\s+(.*?)\s*#*$/.exec(text) ?? [];
    for (const [, id = ''] of text.matchAll(/\bid="([^"]+)"/g)) names.add(id);
    if (heading === undefined) continue;
    const slug = slugOf(heading);
    const count = found.get(slug) ?? 0;
    found.set(slug, count + 1);
    names.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return names;
}

/** The comment on the nearest line above that is not empty. */
function remarkBefore(lines: readonly string[], fenceAt: number): string {
  const above = lines.slice(0, fenceAt).findLast((line) => line.trim() !== '') ?? '';
  return REMARK.exec(above.trim())?.[1] ?? '';
}

function markdownBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name.replaceAll('\\', '/')))
    .filter((path) => path.endsWith('.md') && !path.includes('node_modules'))
    .sort();
}
