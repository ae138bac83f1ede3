import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { defineConfig, type DefaultTheme } from 'vitepress';
import { home } from './home.js';
import { extendMarkdown } from './markdown.js';
import { addressOf, API_FOLDER, FOUNDATIONS, GUIDES, REFERENCE, type PageGroup } from './pages.js';
import { slugOf } from './slug.js';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** The path below which the site is served. */
const BASE = process.env['DOCS_BASE'] ?? '/';
/** The folders of typedoc. */
const KINDS = [
  ['classes', 'Classes'],
  ['functions', 'Functions'],
  ['variables', 'Values'],
  ['interfaces', 'Interfaces'],
  ['type-aliases', 'Types'],
] as const;
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

function link(file: string): string {
  const address = addressOf(file);
  if (address === undefined) throw new Error(`${file} is in the sidebar and is no page of the site`);
  return `/${address.replace(/(index)?\.md$/, '')}`;
}

function sidebarGroup({ title, pages }: PageGroup, collapsed?: boolean): DefaultTheme.SidebarItem {
  return {
    text: title,
    ...(collapsed === undefined ? {} : { collapsed }),
    items: Object.entries(pages).map(([file, text]) => ({ text, link: link(file) })),
  };
}

/** A group for each door of the package. Without what typedoc writes, as while a page is written, there are none. */
function apiGroups(): DefaultTheme.SidebarItem[] {
  const folder = join(ROOT, API_FOLDER);
  if (!existsSync(folder)) return [];
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) =>
    path.replaceAll('\\', '/'),
  );
  const doors = pages.filter((path) => path.endsWith('/index.md')).map(dirname);
  return doors.sort().map((door) => ({
    text: door,
    link: link(`${API_FOLDER}/${door}/index.md`),
    collapsed: true,
    items: KINDS.flatMap(([kind, text]) => {
      const names = pages.filter((path) => dirname(path) === `${door}/${kind}`).sort();
      const items = names.map((path) => ({
        text: basename(path, '.md'),
        link: link(`${API_FOLDER}/${path}`),
      }));
      return items.length === 0 ? [] : [{ text, collapsed: true, items }];
    }),
  }));
}

/** The front matter of pages, kept here. A forge would show front matter as a table. */
const FRONTMATTER: Readonly<Record<string, { frontmatter: Record<string, unknown> }>> = {
  'index.md': { frontmatter: home(version) },
  'reference/options.md': { frontmatter: { pageClass: 'entries' } },
};

const api = { text: 'API', link: link(`${API_FOLDER}/index.md`) };
const reference = sidebarGroup({ title: 'Reference', pages: REFERENCE[0]?.pages ?? {} });

export default defineConfig({
  lang: 'en',
  title: 'nest-sessions',
  description:
    'Sessions for NestJS: rotating refresh tokens, theft detection, claims, anti-CSRF and revocation',
  // The repository, because README, changes and benchmarks are pages, too.
  srcDir: '..',
  srcExclude: [
    'lib/**',
    'scripts/**',
    'coverage/**',
    'build/!(docs-api)/**',
    'sample/*/**',
    'test/!(benchmark)/**',
    'test/README.md',
    'test/benchmark/*/**',
  ],
  rewrites: (file) => addressOf(file) ?? file,
  base: BASE,
  outDir: '../build/site',
  cacheDir: '../build/vitepress',
  vite: { publicDir: join(ROOT, 'docs/.vitepress/public'), build: { chunkSizeWarningLimit: 8000 } },
  metaChunk: true,
  markdown: {
    anchor: { slugify: slugOf },
    // Braces at the end of a heading or cell are code of ours, no attributes.
    attrs: { disable: true },
    config: (md) => extendMarkdown(md, ROOT),
  },
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${BASE}icon.svg` }]],
  transformPageData: ({ relativePath }) => FRONTMATTER[relativePath],
  themeConfig: {
    nav: [
      { text: 'Start', link: link('README.md') },
      { text: 'Guides', link: link('docs/guides/tasks.md'), activeMatch: '^/guides/' },
      { text: 'Reference', link: link('docs/reference/options.md'), activeMatch: '^/reference/(?!api)' },
      { text: 'API', link: api.link, activeMatch: '^/reference/api/' },
      { text: version, link: link('CHANGELOG.md') },
    ],
    sidebar: {
      '/reference/api/': [{ ...reference, items: [...(reference.items ?? []), api] }, ...apiGroups()],
      '/': [
        ...GUIDES.map((group) => sidebarGroup(group, false)),
        { ...reference, collapsed: false, items: [...(reference.items ?? []), api] },
        ...FOUNDATIONS.map((group) => sidebarGroup(group, true)),
      ],
    },
    outline: { level: [2, 3] },
    search: { provider: 'local', options: { miniSearch: { searchOptions: { boostDocument } } } },
    footer: { message: 'Apache-2.0' },
  },
});

/** Guides come before the reference, and both before the documents about protocols. */
function boostDocument(id: string): number {
  if (/\/(protocol|reference\/api)\/|security-requirements|not-applicable|advisories/.test(id)) return 0.3;
  return /\/guides\/|\/start/.test(id) ? 2 : 1;
}
