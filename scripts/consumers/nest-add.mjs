// `nest add nest-sessions` in new applications of Nest's own starter: Nest 11 (CommonJS, Jest) or Nest 12 (ES modules, Vitest),
// installed by npm and by pnpm, on PostgreSQL, SQLite, Redis and in memory. Bad input changes nothing, a second run changes nothing, and with the controller that the command
// prints the application starts, responds with 401, signs in and passes its tests, README's first test among them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { startEmbeddedPostgres } from '../../test/support/embedded-postgres.mjs';
import { freePort } from '../../test/support/free-port.mjs';
import { root } from '../packed.mjs';
import { blockAfter, firstTest } from '../readme.mjs';
import { cookiesOf, withServer } from '../started-server.mjs';
import { PATIENT, runCommand } from './run-command.mjs';

const PNPM = 'pnpm@10';
/** The starter's packages that none of this needs. */
const UNUSED =
  /^(eslint|@eslint|typescript-eslint|prettier|globals|oxlint|@nestjs\/mau|ts-loader|ts-node|@vitest\/coverage|source-map-support)/;

/** Applications of one major of Nest: the files that differ, and the store for each package manager. */
const STARTERS = {
  11: { extension: '', isVitest: false, stores: { npm: 'postgres', pnpm: 'sqlite' } },
  12: { extension: '.js', isVitest: true, stores: { npm: 'redis', pnpm: 'memory' } },
};

/** Makes the applications in a new folder, and tests them one after the other. */
export async function testNestAdd(folder, tarball, { nest }) {
  const tools = installTools(folder, nest);
  for (const [manager, store] of Object.entries(STARTERS[nest].stores)) {
    const app = newApplication(folder, tools, manager);
    const install = () => runCommand(app, ...tools.managers[manager], 'install', ...tools.flags[manager]);
    change(app, 'package.json', (manifest) => withPackage(manifest, tarball));
    install();
    checkBadInput(app, tools);
    const printed = addSessions(app, tools, store);
    install();
    writeController(app, printed, STARTERS[nest]);
    await withStoreServer(folder, store, async () => {
      await checkApplication(app, store);
      runCommand(app, 'npm', 'test', '--', PATIENT);
      runCommand(app, 'npm', 'run', 'test:e2e', '--', PATIENT);
    });
    console.log(`nest-add: Nest ${nest}, ${manager}, ${store}`);
  }
}

/** Installs Nest's command and pnpm. Nest 12's command is among the packages of this repository. */
function installTools(folder, nest) {
  mkdirSync(folder);
  const packages = nest === 12 ? [PNPM] : [PNPM, `@nestjs/cli@${nest}`];
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  runCommand(folder, 'npm', 'i', '--no-audit', '--no-fund', '--loglevel=error', ...packages);
  const pnpm = join(folder, 'node_modules/pnpm/bin/pnpm.cjs');
  return {
    cli: join(nest === 12 ? root : folder, 'node_modules/@nestjs/cli/bin/nest.js'),
    managers: { npm: ['npm'], pnpm: [execPath, pnpm] },
    flags: {
      npm: ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'],
      pnpm: ['--no-frozen-lockfile', '--ignore-workspace', '--reporter=silent'],
    },
  };
}

function newApplication(folder, { cli }, manager) {
  const name = `shop-${manager}`;
  runCommand(folder, execPath, cli, 'new', name, '-p', manager, '--skip-git', '--skip-install');
  rmSync(join(folder, name, 'test/app.e2e-spec.ts'));
  return join(folder, name);
}

function withPackage(text, tarball) {
  const manifest = JSON.parse(text);
  for (const name of Object.keys(manifest.devDependencies))
    if (UNUSED.test(name)) delete manifest.devDependencies[name];
  manifest.dependencies['nest-sessions'] = `file:${tarball}`;
  return JSON.stringify(manifest, null, 2);
}

const EDITED = ['package.json', 'src/app.module.ts', 'src/main.ts'];

/** Runs `nest add` with what is installed; returns what it printed. */
function nestAdd(app, { cli }, ...options) {
  return runCommand(
    app,
    'sh',
    '-c',
    `"$0" "$@" 2>&1 || true`,
    execPath,
    cli,
    'add',
    'nest-sessions',
    '--skip-install',
    ...options,
  );
}

function checkBadInput(app, tools) {
  const before = EDITED.map((file) => readFileSync(join(app, file), 'utf8'));
  const printed = nestAdd(app, tools, '--store', 'mysql');
  if (!printed.includes('nest-sessions: --store is memory, sqlite, postgres or redis, and not mysql'))
    throw new Error(`an unknown store: ${printed}`);
  expectUnchanged(app, before);
}

function addSessions(app, tools, store) {
  const printed = nestAdd(app, tools, '--store', store);
  const after = EDITED.map((file) => readFileSync(join(app, file), 'utf8'));
  if (!after[1].includes('SessionModule.forRoot(')) throw new Error(`nothing was added: ${printed}`);
  const again = nestAdd(app, tools, '--store', store);
  if (!again.includes('is in this application already')) throw new Error(`the second run: ${again}`);
  expectUnchanged(app, after);
  return printed;
}

function expectUnchanged(app, before) {
  EDITED.forEach((file, index) => {
    if (readFileSync(join(app, file), 'utf8') !== before[index]) throw new Error(`${file} has changed`);
  });
}

/** Follows the printed instructions, and adds README's first test and, where there is Vitest, that of the guide. */
function writeController(app, printed, { extension, isVitest }) {
  const controller = /^ *import \{ Controller[\s\S]*?^ *\}\n(?= *\n *Then,)/m.exec(printed)?.[0];
  if (controller === undefined) throw new Error(`no controller is printed: ${printed}`);
  writeFileSync(join(app, 'src/sign-in.controller.ts'), controller);
  change(
    app,
    'src/app.module.ts',
    (text) =>
      `import { SignInController } from './sign-in.controller${extension}';\n${text.replace('controllers: [', 'controllers: [SignInController, ')}`,
  );
  writeFileSync(join(app, 'test/me.e2e-spec.ts'), firstTest(extension));
  if (isVitest)
    writeFileSync(
      join(app, 'test/guide.e2e-spec.ts'),
      blockAfter(/<!-- vitest -->/, 'ts', 'docs/guides/testing.md'),
    );
}

/** Builds the application, starts it, and does what the printed instructions say. A store keeps the session over a start. */
async function checkApplication(app, store) {
  runCommand(app, 'npm', 'run', 'build');
  let cookie = '';
  await withServer(execPath, ['dist/main.js'], { cwd: app }, async (origin) => {
    await expectStatus(`${origin}/`, 401);
    await expectStatus(`${origin}/me`, 401);
    const login = await fetch(`${origin}/login`, { method: 'POST', headers: { 'st-auth-mode': 'cookie' } });
    cookie = cookiesOf(login);
    await expectUser(origin, cookie);
  });
  if (store === 'memory') return;
  await withServer(execPath, ['dist/main.js'], { cwd: app }, async (origin) => expectUser(origin, cookie));
}

async function expectUser(origin, cookie) {
  const me = await fetch(`${origin}/me`, { headers: { cookie } });
  const text = await me.text();
  if (text !== '{"userId":"user-1"}') throw new Error(`/me after the sign-in: ${me.status} ${text}`);
}

/** Starts the server of a store, and says where it is as the printed instructions ask for. */
async function withStoreServer(folder, store, work) {
  if (store === 'postgres') {
    const server = await startEmbeddedPostgres();
    env.DATABASE_URL = server.url;
    return work().finally(() => server.stop());
  }
  if (store !== 'redis') return work();
  const port = await freePort();
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', flags, { cwd: folder, stdio: 'ignore' });
  const ended = once(server, 'exit');
  env.REDIS_URL = `redis://127.0.0.1:${port}`;
  try {
    await work();
  } finally {
    server.kill();
    await ended;
  }
}

async function expectStatus(address, status) {
  const response = await fetch(address);
  if (response.status !== status) throw new Error(`${address}: expected ${status}, got ${response.status}`);
}

function change(app, file, edit) {
  writeFileSync(join(app, file), edit(readFileSync(join(app, file), 'utf8')));
}
