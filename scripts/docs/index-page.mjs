// Writes docs/README.md, which a forge shows for the folder and on which the site opens, from the list of the sidebar. `--print` writes
// to standard output instead.
import { writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as prettier from 'prettier';
import { importTypeScript } from './import-typescript.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { GROUPS, HOME } = await importTypeScript(join(root, 'docs/.vitepress/pages.ts'));

const page = [
  '# Documentation',
  'In this order it is a site with search: `npm run docs`, then `npm run docs:preview`.',
  '<!-- Made from docs/.vitepress/pages.ts by `npm run docs:index`. -->',
  ...GROUPS.flatMap(({ title, pages }) => [
    `## ${title}`,
    Object.entries(pages)
      .map(([file, text]) => `- [${text}](${relative(dirname(HOME), file)})`)
      .join('\n'),
  ]),
].join('\n\n');
const format = await prettier.resolveConfig(join(root, HOME));
const text = await prettier.format(page, { ...format, parser: 'markdown' });
if (process.argv.includes('--print')) process.stdout.write(text);
else writeFileSync(join(root, HOME), text);
