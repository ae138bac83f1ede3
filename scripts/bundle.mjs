// Bundles the compiled files in dist/: one for each door and a few that doors share, instead of more than a hundred, because
// reading those takes most of the time that the library adds to a start (test/benchmark/README.md, "Cold start"). The code
// is not minified, and a comment names the file of each part. Declarations stay as they are.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const bundled = join(root, 'build/bundle');
const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const doors = [...Object.values(exports).map((door) => door.default), ...Object.values(bin)];

rmSync(bundled, { recursive: true, force: true });
await build({
  entryPoints: doors.filter(Boolean).map((door) => join(root, door)),
  outbase: dist,
  outdir: bundled,
  bundle: true,
  splitting: true,
  chunkNames: 'shared/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'es2022',
  packages: 'external',
});

for (const file of readdirSync(dist, { recursive: true })) {
  if (file.endsWith('.js')) rmSync(join(dist, file));
}
cpSync(bundled, dist, { recursive: true });
for (const file of readdirSync(dist, { recursive: true })) {
  if (file.endsWith('.js')) writeFileSync(join(dist, file), withNamesOfClasses(join(dist, file)));
}

/**
 * Restores the names of classes, which Nest and errors show: esbuild turns `let A = class A {…}`, which decorators need, into
 * `A = class A2 {…}`. It also numbers two classes of one name, which is an error here.
 */
function withNamesOfClasses(file) {
  let text = readFileSync(file, 'utf8');
  for (const [, outer, inner] of text.matchAll(/\b(\w+) = class (\w+)\b/g)) {
    if (inner === `${outer}2` || inner === `_${outer}`)
      text = text.replaceAll(new RegExp(`\\b${inner}\\b`, 'g'), outer);
  }
  const numbered = [...text.matchAll(/\bclass ([A-Za-z]+\d+)\b/g)].map(([, name]) => name);
  if (numbered.length > 0) throw new Error(`These classes share a name with others: ${numbered.join(', ')}`);
  return text;
}
