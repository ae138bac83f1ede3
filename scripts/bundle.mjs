// Puts the compiled files in dist/ together: one for each door and a few that doors share, instead of more than two hundred. Reading
// those takes most of the time that the library adds to a start (test/benchmark/README.md, "Cold start"). Nothing is
// minified, and a comment says from which file each part comes. Declarations stay as they are.
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
 * Nest and errors show the names of classes. `let A = class A {…}`, which decorators need, becomes `A = class A2 {…}` here; the
 * inner name may be the outer one again. Two classes of one name would be told apart by a number, too.
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
