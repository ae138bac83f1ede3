// Checks the tarball: publint, attw, its list of files, its imports, and its command.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { pack, root, unpack } from './packed.mjs';

const REQUIRED = [
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'SECURITY.md',
  'dist/index.d.ts',
  'dist/core/index.js',
  'dist/standalone/index.js',
  'dist/testing/index.js',
  'dist/doctor/index.js',
  'dist/doctor/cli.js',
  'dist/verify/index.js',
];
const UNWANTED =
  /(\.spec\.|\.e2e-spec\.|\.contract\.|\.map$|^(lib|scripts|docs)\/|(^|\/)(test|sample|benchmark|node_modules)\/)/;
/** Names of modules have no blanks; texts between quotes after the word "from" may. */
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*(\(\s*)?)(['"])([^'".\s][^'"\s]*)\2/g;
const TYPE_REFERENCE = /\/\/\/\s*<reference\s+(?:types|path)="([^"]+)"/g;
const DOCTOR = 'nest-sessions';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const isOptional = (name) => manifest.peerDependenciesMeta?.[name]?.optional === true;
const peers = Object.keys(manifest.peerDependencies ?? {});
/** The packages that every user has. */
const everywhere = [
  ...Object.keys(manifest.dependencies ?? {}),
  ...peers.filter((name) => !isOptional(name)),
];
const problems = [];

function runTool(name, ...args) {
  const { status } = spawnSync(join(root, 'node_modules/.bin', name), args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) problems.push(`${name} found problems`);
}

/**
 * The imports of a file that some users do not have. `import(…)` may load an optional package when it is needed; a
 * declaration or a static import would always need it.
 */
function foreignImports(file) {
  const text = readFileSync(join(root, file), 'utf8');
  const isDeclaration = file.endsWith('.d.ts');
  const imports = [...text.matchAll(SPECIFIER)].map(([, parenthesis, , name]) => ({
    name,
    allowed: parenthesis && !isDeclaration ? [...everywhere, ...peers] : everywhere,
  }));
  const references = [...text.matchAll(TYPE_REFERENCE)].map(([, name]) => ({ name, allowed: ['node'] }));
  return [...imports, ...references]
    .filter(
      ({ name, allowed }) =>
        !name.startsWith('node:') && !allowed.some((own) => name === own || name.startsWith(`${own}/`)),
    )
    .map(({ name }) => name);
}

/** Puts the package's own dependencies beside the unpacked files, as npm would. Nest is not among them. */
function linkDependencies(packageFolder) {
  const modules = join(packageFolder, 'node_modules');
  mkdirSync(modules);
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
}

/** Runs the command as installed for a user who has no Nest. */
function runCommand(packageFolder, ...args) {
  const file = manifest.bin?.[DOCTOR];
  if (file === undefined)
    return { status: undefined, stdout: '', stderr: `package.json has no bin ${DOCTOR}` };
  return spawnSync(execPath, [join(packageFolder, file), ...args], { encoding: 'utf8', timeout: 30_000 });
}

/** Checks that the name of each class, which errors and logs show, is the name that users import. */
async function checkNamesOfClasses() {
  for (const door of ['.', './core', './standalone', './testing', './doctor', './verify']) {
    const names = await import(new URL(manifest.exports[door].default, `file://${root}/`).href);
    for (const [name, value] of Object.entries(names)) {
      if (typeof value === 'function' && value.name !== name)
        problems.push(`${name} calls itself ${value.name}`);
    }
  }
}

/** Type-checks the declarations of all doors without `skipLibCheck`, as some users do. */
function checkDeclarations() {
  const doors = Object.values(manifest.exports).flatMap(({ types }) => (types ? [join(root, types)] : []));
  const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--types', 'node', '--ignoreConfig'];
  const target = ['--module', 'nodenext', '--target', 'es2022', '--experimentalDecorators'];
  const { stdout } = spawnSync(
    execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), ...options, ...target, ...doors],
    { cwd: root, encoding: 'utf8' },
  );
  problems.push(...stdout.split('\n').filter((line) => line.startsWith('dist/')));
}

/** Checks that all doors use the same classes: the main door accepts a store of `nest-sessions/core`. */
async function checkOneCopy() {
  const [main, core] = await Promise.all(
    ['.', './core'].map((door) => import(new URL(manifest.exports[door].default, `file://${root}/`).href)),
  );
  if (!(main.memoryStore() instanceof core.SessionStore))
    problems.push('the main door and nest-sessions/core have a copy of SessionStore each');
}

/** Loads the door that needs no Nest in a folder where there is none. */
function checkWithoutNest(packageFolder) {
  const door = new URL(manifest.exports['./standalone'].default, `file://${packageFolder}/`).href;
  const script = `const { createSessions } = await import(${JSON.stringify(door)}); process.stdout.write(typeof createSessions);`;
  const outcome = spawnSync(execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  if (outcome.stdout !== 'function')
    problems.push(
      `nest-sessions/standalone needs more than its dependencies: ${outcome.stderr.slice(0, 500)}`,
    );
}

function checkCommand(packageFolder) {
  const expectations = [
    { args: ['doctor', '--help'], status: 0, output: 'Usage: npx nest-sessions doctor' },
    { args: ['doctor', 'http://127.0.0.1:1/auth', '--json'], status: 2, output: '"isReachable": false' },
    { args: ['doctor', 'nowhere'], status: 2, output: 'nest-sessions: the address of the API' },
  ];
  for (const { args, status, output } of expectations) {
    const outcome = runCommand(packageFolder, ...args);
    if (outcome.status !== status || !(outcome.stdout + outcome.stderr).includes(output)) {
      problems.push(
        `${DOCTOR} ${args.join(' ')} ended with ${outcome.status}: ${outcome.stderr.slice(0, 500)}`,
      );
    }
  }
}

const { folder, tarball, files } = pack();
try {
  runTool('publint', 'run', tarball, '--strict');
  runTool('attw', tarball, '--profile', 'esm-only', '--no-emoji');
  const packageFolder = unpack(tarball, folder);
  linkDependencies(packageFolder);
  checkCommand(packageFolder);
  checkWithoutNest(packageFolder);
} finally {
  rmSync(folder, { recursive: true });
}

await checkNamesOfClasses();
await checkOneCopy();
checkDeclarations();
for (const file of REQUIRED) if (!files.includes(file)) problems.push(`${file} is missing`);
for (const file of files.filter((path) => UNWANTED.test(path)))
  problems.push(`${file} does not belong there`);
for (const file of files.filter((path) => /^dist\/.*\.(js|d\.ts)$/.test(path))) {
  for (const name of foreignImports(file)) problems.push(`${file} imports ${name}`);
}
for (const script of ['preinstall', 'install', 'postinstall']) {
  if (manifest.scripts?.[script]) problems.push(`package.json has an install script: ${script}`);
}

for (const problem of problems) console.error(`pack-check: ${problem}`);
if (problems.length === 0) console.log(`pack-check: ${files.length} files, no problem`);
process.exitCode = problems.length > 0 ? 1 : 0;
