// The README's quick start from dist/, and a selection of the tests, on other lines of Node than the one that runs this. The
// binaries are the npm packages that the package `node` itself would install, without its script. Run it after a build:
// `npm run test:node-versions`, or with lines: `npm run test:node-versions -- 24`. Needs the npm registry.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { arch, argv, platform } from 'node:process';
import ts from 'typescript';
import { root } from './packed.mjs';
import { blockAfter } from './readme.mjs';
import { cookiesOf, withServer } from './started-server.mjs';

const LINES = ['22', '24', '26'];
/** Tests of what differs between versions of Node: crypto, SQLite of its own, HTTP, timers. */
const SPECS = [
  'test/e2e/refresh.e2e-spec',
  'test/e2e/verify-session.e2e-spec',
  'lib/stores/sqlite',
  'lib/tokens/signature-verifier',
  'test/standalone',
];
const folder = join(root, 'build/node-versions');

/** Installs a line of Node; returns the path of its binary. */
function install(line) {
  const home = join(folder, line);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "private": true }');
  const name = `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
  execFileSync(
    'npm',
    ['i', '--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--loglevel=error', `${name}@${line}`],
    { cwd: home, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return join(home, 'node_modules', name, platform === 'win32' ? 'bin/node.exe' : 'bin/node');
}

/** Compiles the README's quick start to a file below the package, where its own name leads to dist/. */
function writeQuickStart() {
  const { outputText } = ts.transpileModule(blockAfter(/<!-- quick-start: /, 'ts'), {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'quick-start.mjs');
  writeFileSync(file, outputText);
  return file;
}

async function runQuickStart(node, file) {
  await withServer(node, ['--throw-deprecation', file], {}, async (origin) => {
    const denied = await fetch(`${origin}/me`);
    const login = await fetch(`${origin}/login`, { method: 'POST', headers: { 'st-auth-mode': 'cookie' } });
    const headers = { cookie: cookiesOf(login) };
    const me = await fetch(`${origin}/me`, { headers });
    const refresh = await fetch(`${origin}/auth/session/refresh`, { method: 'POST', headers });
    const found = [denied.status, login.status, me.status, refresh.status].join(' ');
    if (found !== '401 201 200 200') throw new Error(`expected 401 201 200 200, got ${found}`);
  });
}

function runTests(node) {
  const jest = ['--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js')];
  const { status, stdout, stderr } = spawnSync(node, [...jest, '--silent', '--maxWorkers=2', ...SPECS], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`tests: ${stdout}${stderr}`);
  return /^Tests: .*$/m.exec(stderr)?.[0] ?? '';
}

if (!existsSync(join(root, 'dist/index.js')))
  throw new Error('dist/index.js is missing: run npm run build first');
const wanted = argv.slice(2);
const quickStart = writeQuickStart();
for (const line of wanted.length > 0 ? wanted : LINES) {
  const began = Date.now();
  const node = install(line);
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  try {
    await runQuickStart(node, quickStart);
    const tests = runTests(node);
    console.log(`node-versions: ${version} works (${Math.round((Date.now() - began) / 1000)} s). ${tests}`);
  } catch (error) {
    console.error(`node-versions: ${version} FAILED: ${error.message}`);
    process.exitCode = 1;
  }
}
