// Runs the suites that use Nest, on both adapters, with another major version of Nest than the one in node_modules: installs
// it into a new folder and maps the imports of the tests to it. `node scripts/consumers/e2e-nest.mjs 11`; further arguments
// go to jest, for example a path. Without a path: the suites below.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SUITES = [
  'same-on-both-adapters', 'create-session', 'verify-session', 'refresh', 'sign-out', 'guard-and-decorators', 'claims',
  'routes', 'module', 'error-handlers', 'response-headers', 'lost-response', 'store-failure', 'cors',
]; // prettier-ignore
const FOLDERS = ['testing', 'e2e/lifetimes', 'e2e/events', 'doctor'];
/** A test run that takes longer fails. */
const TIMEOUT_MS = 300_000;
const [major = '11', ...forJest] = argv.slice(2);
const PACKAGES = ['common', 'core', 'testing', 'platform-express', 'platform-fastify'].map(
  (name) => `@nestjs/${name}`,
);

const folder = mkdtempSync(join(tmpdir(), `nest-${major}-`));
try {
  install();
  const config = join(folder, 'jest.config.json');
  writeFileSync(config, JSON.stringify(await jestConfig()));
  const suites = [
    ...SUITES.map((name) => `test/e2e/${name}.e2e-spec.ts`),
    ...FOLDERS.map((name) => `test/${name}/`),
  ];
  // Jest accepts patterns without a match.
  const missing = suites.filter((path) => !existsSync(join(ROOT, path)));
  if (missing.length > 0) throw new Error(`There is no ${missing.join(', ')}`);
  const { status } = spawnSync(
    execPath,
    [
      '--experimental-vm-modules',
      '--no-warnings',
      join(ROOT, 'node_modules/jest/bin/jest.js'),
      `--config=${config}`,
      ...(forJest.length > 0 ? forJest : suites),
    ],
    { cwd: ROOT, env: { ...env, NEST_MAJOR: major }, stdio: 'inherit', timeout: TIMEOUT_MS },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function install() {
  const wanted = [
    ...PACKAGES.map((name) => `${name}@^${major}.0.0`),
    'rxjs@^7.2.0',
    'reflect-metadata@^0.2.0',
  ];
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'other-nest', private: true }));
  execFileSync('npm', ['i', '--no-audit', '--no-fund', '--loglevel=error', ...wanted], {
    cwd: folder,
    stdio: 'inherit',
  });
}

/** The project's configuration, with Nest and the packages that Nest shares with it from the folder. */
async function jestConfig() {
  const source = readFileSync(join(ROOT, 'jest.config.ts'), 'utf8');
  const compiled = join(folder, 'jest.config.mjs');
  writeFileSync(compiled, transformSync(source, { loader: 'ts' }).code);
  const { default: config } = await import(compiled);
  const fromFolder = Object.fromEntries(
    [...PACKAGES, 'rxjs', 'reflect-metadata'].flatMap((name) => [
      [`^${name}$`, join(folder, 'node_modules', name)],
      [`^${name}/(.*)$`, join(folder, 'node_modules', name, '$1')],
    ]),
  );
  return { ...config, rootDir: ROOT, moduleNameMapper: { ...fromFolder, ...config.moduleNameMapper } };
}
