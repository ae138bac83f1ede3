// Checks the tarball: publint, attw, its list of files, its imports, and its command.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { pack, root, unpack } from './packed.mjs';

const REQUIRED = ['README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'dist/cli/cli.js'];
const UNWANTED =
  /(\.spec\.|\.e2e-spec\.|\.contract\.|^(scripts|docs)\/|(^|\/)(test|sample|benchmark|node_modules)\/)/;
/** Names of modules have no blanks; texts between quotes after the word "from" may. */
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*(\(\s*)?|\b__require\(|\brequire\()(['"])([^'".\s][^'"\s]*)\2/g;
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
  const isDeclaration = /\.d\.c?ts$/.test(file);
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

/** The doors, by the name that users import, and their entry in `exports`. */
const doors = Object.entries(manifest.exports).filter(([, door]) => typeof door === 'object');

/** Checks that the name of each class, which errors and logs show, is the name that users import, in both formats. */
async function checkNamesOfClasses() {
  const require = createRequire(import.meta.url);
  for (const [name, door] of doors) {
    const modules = await import(new URL(door.default, `file://${root}/`).href);
    const commonJs = require(join(root, door.require.default));
    const names = Object.keys(modules);
    const missing = names.filter((each) => commonJs[each] === undefined);
    if (missing.length > 0) problems.push(`${door.require.default} lacks ${missing.join(', ')}`);
    for (const value of names.flatMap((each) => [modules[each], commonJs[each]])) {
      if (typeof value === 'function' && !names.includes(value.name))
        problems.push(`${name} has a class or function that calls itself ${value.name}`);
    }
  }
}

/** Checks that `require` gives the ES modules in Node, so that a process that uses both has one copy. */
function checkRequire(packageFolder) {
  const program = `(async () => {
    const outcomes = [];
    for (const name of ${JSON.stringify(doors.map(([name]) => name.replace('.', manifest.name)))})
      if (require(name) !== (await import(name))) outcomes.push(name);
    process.stdout.write(outcomes.join(', ') || 'one copy');
  })()`;
  const modules = join(packageFolder, '..', 'node_modules');
  mkdirSync(modules);
  symlinkSync(packageFolder, join(modules, manifest.name), 'junction');
  for (const name of ['@nestjs', 'reflect-metadata', 'rxjs', 'tslib'])
    symlinkSync(join(root, 'node_modules', name), join(packageFolder, 'node_modules', name), 'junction');
  const { stdout, stderr } = spawnSync(execPath, ['--eval', program], {
    cwd: join(packageFolder, '..'),
    encoding: 'utf8',
  });
  if (stdout !== 'one copy')
    problems.push(`require and import give two copies of: ${stdout} ${stderr.slice(0, 500)}`);
}

/** Type-checks the declarations of all doors without `skipLibCheck`, as some users do. */
function checkDeclarations() {
  const declarations = doors.flatMap(([, door]) => [join(root, door.types), join(root, door.require.types)]);
  const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--types', 'node', '--ignoreConfig'];
  const target = ['--module', 'nodenext', '--target', 'es2022', '--experimentalDecorators'];
  const { stdout } = spawnSync(
    execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), ...options, ...target, ...declarations],
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

/** Loads the door that needs no Nest in a folder where there is none, in both formats. */
function checkWithoutNest(packageFolder) {
  const door = manifest.exports['./standalone'];
  for (const file of [door.default, door.require.default]) {
    const address = JSON.stringify(new URL(file, `file://${packageFolder}/`).href);
    const script = `const { createSessions } = await import(${address}); process.stdout.write(typeof createSessions);`;
    const outcome = spawnSync(execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    if (outcome.stdout !== 'function')
      problems.push(`${file} needs more than its dependencies: ${outcome.stderr.slice(0, 500)}`);
  }
}

/** Checks that a stack trace of Node names a file of lib/ that is in the package, and the line of it. */
function checkSourceMaps(packageFolder) {
  const door = new URL(manifest.exports['./standalone'].default, `file://${packageFolder}/`).href;
  const script = `const { createSessions } = await import(${JSON.stringify(door)}); try { createSessions({}) } catch (error) { process.stdout.write(error.stack) }`;
  const options = ['--enable-source-maps', '--input-type=module', '--eval', script];
  const { stdout } = spawnSync(execPath, options, { encoding: 'utf8' });
  const places = [...stdout.matchAll(/(\/[^\s()]*\/lib\/\S+\.ts):(\d+):\d+/g)];
  const isThere = ([, file, line]) =>
    existsSync(file) && readFileSync(file, 'utf8').split('\n').length >= Number(line);
  if (places.length < 2 || !places.every(isThere))
    problems.push(`a stack trace does not lead to lib/: ${stdout.slice(0, 500)}`);
}

function checkCommand(packageFolder) {
  const expectations = [
    { args: ['doctor', '--help'], status: 0, output: 'Usage: npx nest-sessions doctor' },
    { args: ['doctor', 'http://127.0.0.1:1/auth', '--json'], status: 2, output: '"isReachable": false' },
    { args: ['stats'], status: 2, output: 'nest-sessions: say where the sessions are' },
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
  runTool('attw', tarball, '--no-emoji', '--format', 'table-flipped');
  const packageFolder = unpack(tarball, folder);
  linkDependencies(packageFolder);
  checkCommand(packageFolder);
  checkWithoutNest(packageFolder);
  checkRequire(packageFolder);
  checkSourceMaps(packageFolder);
} finally {
  rmSync(folder, { recursive: true });
}

await checkNamesOfClasses();
await checkOneCopy();
checkDeclarations();
for (const file of REQUIRED) if (!files.includes(file)) problems.push(`${file} is missing`);
for (const file of files.filter((path) => UNWANTED.test(path)))
  problems.push(`${file} does not belong there`);
/** The schematic has imports for the application in its texts. */
const WITH_TEXTS = 'dist/schematics/nest-add.cjs';
for (const file of files.filter((path) => /^dist\/.*\.(c?js|d\.c?ts)$/.test(path) && path !== WITH_TEXTS)) {
  for (const name of foreignImports(file)) problems.push(`${file} imports ${name}`);
}
for (const script of ['preinstall', 'install', 'postinstall']) {
  if (manifest.scripts?.[script]) problems.push(`package.json has an install script: ${script}`);
}

for (const problem of problems) console.error(`pack-check: ${problem}`);
if (problems.length === 0) console.log(`pack-check: ${files.length} files, no problem`);
process.exitCode = problems.length > 0 ? 1 : 0;
