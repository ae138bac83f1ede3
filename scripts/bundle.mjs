// Bundles the compiled files in dist/: one for each door and a few that doors share, instead of more than a hundred, because
// reading those takes most of the time that the library adds to a start (test/benchmark/README.md, "Cold start"). The code
// is not minified, a comment names the file of each part, and source maps lead to lib/, which is published as well. Declarations
// stay as they are.
//
// The same once more as CommonJS beside them, for Jest in CommonJS projects, whose modules cannot require ES modules. Node
// never loads these files, which therefore have no source maps: its condition `module-sync` leads `require` to the ES modules, so that a process has one copy.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const bundled = join(root, 'build/bundle');
const { exports, bin, dependencies, peerDependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
const doors = Object.values(exports).flatMap((door) => door.default ?? []);
/** It has no CommonJS of its own, so the CommonJS files contain what they use of it. */
const ES_MODULES_ONLY = 'jose';

const shared = {
  outbase: dist,
  bundle: true,
  splitting: true,
  chunkNames: 'shared/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'es2022',
  preserveSymlinks: true, // so that the comments with names of files are the same wherever node_modules is
};

/** Bundles into a folder. @returns the names of its files */
async function bundle(name, options) {
  const outdir = join(bundled, name);
  await build({ ...shared, ...options, outdir });
  return readdirSync(outdir, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
}

/**
 * Restores the names of classes, which Nest and errors show: esbuild turns `let A = class A {…}`, which decorators need, into
 * `A = class A2 {…}`. It also numbers two classes of one name, which is an error here.
 */
function withNamesOfClasses(bundledText) {
  let text = bundledText;
  for (const [, variable, inner] of text.matchAll(/\b(\w+) = class (\w+)\b/g)) {
    const outer = variable.replace(/_1$/, ''); // the second variable of a class that names itself
    if (inner === `${outer}2` || inner === `_${outer}`)
      text = text.replaceAll(new RegExp(`\\b${inner}\\b`, 'g'), outer);
  }
  const numbered = [...text.matchAll(/\bclass ([A-Za-z]+\d+)\b/g)].map(([, name]) => name);
  if (numbered.length > 0) throw new Error(`These classes share a name with others: ${numbered.join(', ')}`);
  return text;
}

/** The source map of a file of the bundle, with the paths that lead from its place in dist/ to lib/. */
function withMovedSources(file) {
  const from = dirname(join(bundled, 'esm', file));
  const map = JSON.parse(readFileSync(join(bundled, 'esm', `${file}.map`), 'utf8'));
  const sources = map.sources.map((source) => relative(dirname(join(dist, file)), join(from, source)));
  return JSON.stringify({ ...map, sources: sources.map((source) => source.replaceAll('\\', '/')) });
}

/** The CommonJS form of an ES module of the bundle: `import()` becomes `require`, which Jest has without a flag. */
async function asCommonJs(text) {
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'es2022',
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': 'import_meta_url' },
  });
  const ownFiles = withNamesOfClasses(code).replaceAll(
    /require\("(\.\.?\/[^"]+)\.js"\)/g,
    'require("$1.cjs")',
  );
  return ownFiles.includes('import_meta_url')
    ? `const import_meta_url = require("node:url").pathToFileURL(__filename).href;\n${ownFiles}`
    : ownFiles;
}

/** The licence of what the CommonJS files contain, as a comment. */
function licenceComment() {
  const folder = join(root, 'node_modules', ES_MODULES_ONLY);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const licence = readFileSync(join(folder, 'LICENSE.md'), 'utf8').trim().replaceAll(/^/gm, ' * ');
  return `/*!\n * This file contains parts of ${ES_MODULES_ONLY} ${version}:\n *\n${licence.replaceAll(/ +$/gm, '')}\n */\n`;
}

async function writeCommonJs(files) {
  const licence = licenceComment();
  for (const file of files) {
    const text = readFileSync(join(bundled, 'cjs', file), 'utf8');
    const code = await asCommonJs(text);
    const name = join(dist, file.replace(/\.js$/, '.cjs'));
    mkdirSync(dirname(name), { recursive: true });
    writeFileSync(name, text.includes(`// node_modules/${ES_MODULES_ONLY}/`) ? licence + code : code);
  }
  // One set of declarations serves both, so that a class has one type in a program that uses both.
  for (const door of doors) {
    const declaration = join(dist, door.replace(/^\.\/dist\/(.*)\.js$/, '$1.d.cts'));
    writeFileSync(declaration, "export * from './index.js';\n");
  }
}

rmSync(bundled, { recursive: true, force: true });
const entries = doors.map((door) => join(root, door));
const modules = await bundle('esm', {
  entryPoints: [...entries, ...Object.values(bin).map((command) => join(root, command))],
  packages: 'external',
  sourcemap: 'linked',
  sourcesContent: false, // the sources are in the package
});
const external = [...Object.keys(dependencies), ...Object.keys(peerDependencies)].filter(
  (name) => name !== ES_MODULES_ONLY,
);
const commonJs = await bundle('cjs', { entryPoints: entries, external });

/** Nest's command line requires it, and nothing imports it: one CommonJS file, without declarations. */
async function writeSchematic() {
  const folder = join(dist, 'schematics');
  const outfile = join(bundled, 'nest-add.cjs');
  await build({
    ...shared,
    splitting: false,
    chunkNames: undefined,
    outbase: undefined,
    format: 'cjs',
    entryPoints: [join(folder, 'nest-add.js')],
    outfile,
  });
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  cpSync(outfile, join(folder, 'nest-add.cjs'));
  for (const file of ['collection.json', 'schema.json'])
    cpSync(join(root, 'lib/schematics', file), join(folder, file));
}

await writeSchematic();
for (const file of readdirSync(dist, { recursive: true })) {
  if (/\.c?js(\.map)?$/.test(file) && !file.startsWith('schematics')) rmSync(join(dist, file));
}
for (const file of modules) {
  mkdirSync(dirname(join(dist, file)), { recursive: true });
  writeFileSync(join(dist, file), withNamesOfClasses(readFileSync(join(bundled, 'esm', file), 'utf8')));
  writeFileSync(join(dist, `${file}.map`), withMovedSources(file));
}
await writeCommonJs(commonJs);
// The browser gets these files as they are.
cpSync(join(root, 'lib/dashboard/page'), join(dist, 'dashboard/page'), {
  recursive: true,
  filter: (file) => !file.endsWith('.json'),
});
