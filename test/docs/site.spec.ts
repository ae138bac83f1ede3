import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';
import { describe, expect, it } from '@jest/globals';
import { diagramFile, diagramPicture, DIAGRAMS_FOLDER } from '../../docs/.vitepress/diagrams.js';
import { addressOfLink } from '../../docs/.vitepress/markdown.js';
import { addressOf, GROUPS, HOME, REPOSITORY, sourceOf } from '../../docs/.vitepress/pages.js';
import { codeBlocks, documents } from './documents.js';

/** `npm run docs` builds the site and checks the result; here is what can be known without building it. */
const inSidebar = GROUPS.flatMap(({ pages }) => Object.keys(pages));
const pages = documents().filter((document) => addressOf(document) !== undefined);

describe('the sidebar of the site', () => {
  it('has every document that is a page: one that is added gets a line in docs/.vitepress/pages.ts', () => {
    expect(pages.filter((page) => page !== HOME && !inSidebar.includes(page))).toEqual([]);
  });

  it('has each page once, and only pages that exist', () => {
    expect(inSidebar.filter((page, at) => inSidebar.indexOf(page) !== at)).toEqual([]);
    expect(inSidebar.filter((page) => !pages.includes(page))).toEqual([]);
  });

  it('gives each page an address of its own, from which its source is found', () => {
    const addresses = pages.map((page) => addressOf(page) ?? '');
    expect(new Set(addresses).size).toBe(pages.length);
    expect(addresses.map(sourceOf)).toEqual(pages);
  });

  it('is the list in docs/README.md: `npm run docs:index` writes it', () => {
    const written = execFileSync(process.execPath, ['scripts/docs/index-page.mjs', '--print'], {
      encoding: 'utf8',
    });
    expect(readFileSync(HOME, 'utf8')).toBe(written);
  });
});

describe('links of documents', () => {
  const root = process.cwd();
  const address = (target: string, source = 'docs/guides/scaling.md') => addressOfLink(target, source, root);

  it('lead to the page that is made from their target', () => {
    expect(address('redis.md#cluster')).toBe('/guides/redis.md#cluster');
    expect(address('../reference/options.md')).toBe('/reference/options.md');
    expect(address('../../README.md#install')).toBe('/start.md#install');
    expect(address('docs/proof.md', 'README.md')).toBe('/proof.md');
    expect(address(`${REPOSITORY}/blob/main/docs/guides/redis.md#cluster`, 'README.md')).toBe(
      '/guides/redis.md#cluster',
    );
  });

  it('lead to the repository where no page is made from it', () => {
    expect(address('../../lib/index.ts')).toBe(`${REPOSITORY}/blob/main/lib/index.ts`);
    expect(address('../../test/README.md#folders')).toBe(`${REPOSITORY}/blob/main/test/README.md#folders`);
  });

  it('stay as they are to other hosts and within the page', () => {
    for (const target of ['https://example.com/a.md', '#install', 'mailto:a@example.com'])
      expect(address(target)).toBe(target);
  });

  it('stop the build where they lead to a file that does not exist', () => {
    expect(() => address('../../lib/nowhere.ts')).toThrow(
      'docs/guides/scaling.md has a link to ../../lib/nowhere.ts: lib/nowhere.ts does not exist',
    );
  });
});

describe('diagrams', () => {
  const blocks = pages.flatMap(codeBlocks).filter(({ language }) => language === 'mermaid');
  const pictures = readdirSync(DIAGRAMS_FOLDER).map((name) => join(DIAGRAMS_FOLDER, name));

  it('are drawn as they are written: `npm run docs:diagrams` draws them', () => {
    const undrawn = blocks.filter(({ code }) => !existsSync(diagramFile(code)));
    expect(undrawn.map(({ document, line }) => `${document}:${line}`)).toEqual([]);
    const wanted = new Set(blocks.map(({ code }) => diagramFile(code)));
    expect(pictures.filter((picture) => !wanted.has(picture))).toEqual([]);
  });

  it('have a title for readers who do not see them', () => {
    const untitled = blocks.filter(({ code }) => !/^\s*accTitle: \S/m.test(code));
    expect(untitled.map(({ document, line }) => `${document}:${line}`)).toEqual([]);
  });

  it('take their colours from the page, light or dark, and bring no style sheet, script or foreign picture', () => {
    for (const { code } of blocks) {
      const picture = diagramPicture(process.cwd(), code);
      expect(picture).toMatch(/^<svg [^>]*role="img"/);
      expect(picture.replaceAll(/url\(#[^)]*\)/g, '')).not.toMatch(
        /<style|<script|<image|<foreignObject|url\(|#[0-9a-f]{6}\b|rgb/i,
      );
    }
  });

  it('stop the build where their picture is missing, with the remedy', () => {
    expect(() => diagramPicture(process.cwd(), 'sequenceDiagram\n  A->>B: new')).toThrow(
      'run `npm run docs:diagrams` and commit',
    );
  });
});
