// Is the tarball what users should get? publint, attw, and a look at its files.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pack, root } from './packed.mjs';

const REQUIRED = [
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'SECURITY.md',
  'dist/index.d.ts',
  'dist/testing/index.js',
];
const UNWANTED =
  /(\.spec\.|\.e2e-spec\.|\.map$|^(lib|scripts|docs)\/|(^|\/)(test|sample|benchmark|node_modules)\/)/;
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'".][^'"]*)\1/g;

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const known = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
const problems = [];

function runTool(name, ...args) {
  const { status } = spawnSync(join(root, 'node_modules/.bin', name), args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) problems.push(`${name} found problems`);
}

/** Code may import what the package depends on; declarations only what every user has. */
function foreignImports(file) {
  const allowed = file.endsWith('.d.ts') ? known : [...known, ...Object.keys(manifest.imports ?? {})];
  const specifiers = [...readFileSync(join(root, file), 'utf8').matchAll(SPECIFIER)].map((match) => match[2]);
  return specifiers.filter(
    (name) => !name.startsWith('node:') && !allowed.some((own) => name === own || name.startsWith(`${own}/`)),
  );
}

const { folder, tarball, files } = pack();
try {
  runTool('publint', 'run', tarball, '--strict');
  runTool('attw', tarball, '--profile', 'esm-only', '--no-emoji');
} finally {
  rmSync(folder, { recursive: true });
}

for (const file of REQUIRED) if (!files.includes(file)) problems.push(`${file} is missing`);
for (const target of Object.values(manifest.imports ?? {})) {
  if (!files.includes(target.default.slice(2))) problems.push(`${target.default} is missing`);
}
for (const file of files.filter((path) => UNWANTED.test(path)))
  problems.push(`${file} does not belong there`);
for (const file of files.filter((path) => /^dist\/(?!vendor\/).*\.(js|d\.ts)$/.test(path))) {
  for (const name of foreignImports(file)) problems.push(`${file} imports ${name}`);
}
for (const script of ['preinstall', 'install', 'postinstall']) {
  if (manifest.scripts?.[script]) problems.push(`package.json has an install script: ${script}`);
}

for (const problem of problems) console.error(`pack-check: ${problem}`);
if (problems.length === 0) console.log(`pack-check: ${files.length} files, no problem`);
process.exitCode = problems.length > 0 ? 1 : 0;
