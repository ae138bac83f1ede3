// Bundles the public suffix library into dist/, so that installing this package brings no dependency for it.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packageFile = createRequire(import.meta.url).resolve('tldts/package.json');
const { version } = JSON.parse(await readFile(packageFile, 'utf8'));
const licence = await readFile(join(dirname(packageFile), 'LICENSE'), 'utf8');

const banner = `/*!
tldts ${version}, https://github.com/remusao/tldts

${licence.trim()}

It carries data made from the Public Suffix List, https://publicsuffix.org/list/public_suffix_list.dat,
which is subject to the Mozilla Public License, v. 2.0, https://mozilla.org/MPL/2.0/.
*/`;

await build({
  // The names that lib/options/public-suffix.ts imports from #tldts.
  stdin: { contents: "export { getDomain } from 'tldts';", resolveDir: root },
  outfile: join(root, 'dist/vendor/tldts.js'),
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  target: 'es2022',
  minify: true,
  banner: { js: banner },
});
