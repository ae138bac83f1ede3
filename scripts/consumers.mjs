// Installs the packed package into new applications and sends them requests. Each runs the README's quick start, word for
// word, and consumers/claims-app.ts. Then: README's first test in Nest 11's starter, `nest add` in new applications of Nest 11
// and 12, the size of an installation, the samples on LoopBack, Next.js, Bun, Deno and workerd, and the suites that use Nest,
// from the sources, on the oldest supported Nest (S083).
// `npm run test:consumers -- nest11` runs those with nest11 in their names: see CONSUMERS and MORE. Each is a process of its
// own, two at a time, because installing waits for files and compiling uses one core.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, execPath } from 'node:process';
import { testWithJest } from './consumers/jest-commonjs.mjs';
import { testNestAdd } from './consumers/nest-add.mjs';
import { pack, root } from './packed.mjs';
import { blockAfter } from './readme.mjs';
import { cookiesOf, withServer } from './started-server.mjs';

const CONSUMERS = [
  { name: 'nest12-express', nest: 12, platform: 'express', type: 'module' },
  { name: 'nest12-fastify', nest: 12, platform: 'fastify', type: 'module' },
  { name: 'nest11-express-commonjs', nest: 11, platform: 'express', type: 'commonjs' },
  { name: 'nest11-fastify', nest: 11, platform: 'fastify', type: 'module' },
];
const MORE = [
  { name: 'other-frameworks', test: () => runScript('consumers/other-frameworks.mjs') },
  { name: 'nest11-jest-commonjs', test: testWithJest },
  { name: 'nest11-add', nest: 11, test: testNestAdd },
  { name: 'nest12-add', nest: 12, test: testNestAdd },
  { name: 'package-size', test: () => runScript('package-size.mjs', '--check') },
];
/** Comes last and alone, because it has a worker for each core. */
const LAST = [{ name: 'nest11-e2e', test: () => runScript('consumers/e2e-nest.mjs', '11') }];
const ALL = [...CONSUMERS, ...MORE, ...LAST];
const AT_ONCE = 2;
/** Asks this script for one of them: its name, the tarball and a folder that is not there yet follow. */
const ONE = '--one';
const START_TIMEOUT_MS = 30_000;
const COOKIE_MODE = { 'st-auth-mode': 'cookie', 'content-type': 'application/json' };

/**
 * The block behind `<!-- quick-start: login=POST /login; guarded=GET /me -->` of the README, and its two routes. A third
 * part `body={"name":"Ada"}` is sent to the login route.
 */
function quickStart() {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const remark = /<!-- quick-start: (.*?) -->/.exec(readme)?.[1] ?? '';
  const routes = remark.split(/;\s*/).map((part) => /^(\w+)=(.*)$/.exec(part)?.slice(1) ?? []);
  return { code: blockAfter(/<!-- quick-start: /, 'ts'), ...Object.fromEntries(routes) };
}

/** Adapts a program to Fastify: one import and one argument differ. */
function onPlatform(code, platform) {
  if (platform === 'express') return code;
  return `import { FastifyAdapter } from '@nestjs/platform-fastify';\n${code}`.replace(
    /NestFactory\.create(?:<\w+>)?\((\w+)/,
    'NestFactory.create($1, new FastifyAdapter()',
  );
}

function makeFolder(folder, { nest, platform, type }, tarball, programs) {
  mkdirSync(folder);
  const dependencies = {
    'nest-sessions': `file:${tarball}`,
    '@nestjs/common': `^${nest}.0.0`,
    '@nestjs/core': `^${nest}.0.0`,
    [`@nestjs/platform-${platform}`]: `^${nest}.0.0`,
    'reflect-metadata': '^0.2.0',
    rxjs: '^7.2.0',
  };
  const compilerOptions = {
    target: 'ES2022',
    module: 'NodeNext',
    strict: true,
    skipLibCheck: false,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
    outDir: 'out',
    rootDir: '.',
  };
  const files = {
    'package.json': JSON.stringify({ name: 'consumer', private: true, type, dependencies }),
    'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.ts'] }),
    ...programs,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  execFileSync('npm', ['i', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: 'inherit',
  });
  execFileSync(execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
    cwd: folder,
    stdio: 'inherit',
  });
}

/** Starts a program and calls `sendRequests` with a function that sends requests to it. */
async function withProgram(folder, file, sendRequests) {
  const options = { cwd: folder, startTimeoutMs: START_TIMEOUT_MS };
  await withServer(execPath, [join('out', file)], options, (origin) =>
    sendRequests((route, headers, body) => {
      const [method, path] = route.split(' ');
      return fetch(`${origin}${path}`, { method, headers, body });
    }),
  );
}

async function expectStatus(response, status, what) {
  const text = await response.text();
  if (response.status !== status)
    throw new Error(`${what}: expected ${status}, got ${response.status} ${text}`);
  return text;
}

function readCookies(response) {
  const cookie = cookiesOf(response);
  if (!/(^|; )sAccessToken=/.test(cookie)) throw new Error('login: no sAccessToken cookie');
  return { cookie };
}

async function signIn(send, route, body) {
  const response = await send(route, COOKIE_MODE, route.startsWith('POST') ? (body ?? '{}') : undefined);
  if (!response.ok)
    throw new Error(`login: expected success, got ${response.status} ${await response.text()}`);
  return readCookies(response);
}

async function checkQuickStart(send, { login, guarded, body }) {
  await expectStatus(await send(guarded), 401, 'the guarded route without a session');
  const cookies = await signIn(send, login, body);
  await expectStatus(await send(guarded, cookies), 200, 'the guarded route with the cookies');
  await expectStatus(await send('POST /auth/session/refresh', cookies), 200, 'refresh');
  await expectStatus(await send('POST /auth/signout', cookies), 200, 'sign-out');
}

async function checkClaimsApp(send) {
  await expectStatus(await send('GET /free'), 401, 'a route with claims without a session');
  const cookies = await signIn(send, 'POST /login');
  await expectStatus(await send('GET /free', cookies), 200, 'a route whose claim holds');
  const refusal = await expectStatus(await send('GET /pro', cookies), 403, 'a route whose claim fails');
  if (JSON.parse(refusal).claimValidationErrors?.[0]?.id !== 'plan')
    throw new Error(`403 without the claim: ${refusal}`);
}

/** Runs another script, which prints its own results. */
function runScript(file, ...args) {
  execFileSync(execPath, [join(root, 'scripts', file), ...args], { stdio: 'inherit' });
}

async function testConsumer(folder, tarball, consumer) {
  const start = quickStart();
  const claimsApp = readFileSync(join(root, 'scripts/consumers/claims-app.ts'), 'utf8');
  makeFolder(folder, consumer, tarball, {
    'quick-start.ts': onPlatform(start.code, consumer.platform),
    'claims-app.ts': onPlatform(claimsApp, consumer.platform),
  });
  await withProgram(folder, 'quick-start.js', (send) => checkQuickStart(send, start));
  await withProgram(folder, 'claims-app.js', checkClaimsApp);
}

/** Runs one in a process of its own, and prints what that printed when it has ended. @returns whether it works */
async function passes(name, { folder, tarball }) {
  const began = Date.now();
  const child = spawn(execPath, [argv[1], ONE, name, tarball, join(folder, name)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  const outcome = code === 0 ? `works (${Math.round((Date.now() - began) / 1000)} s)` : 'FAILED';
  console.log(`${output}consumers: ${name} ${outcome}`);
  return code === 0;
}

/** Runs some, so many at a time. @returns whether all work */
async function allPass(consumers, atOnce, packed) {
  const waiting = consumers.map(({ name }) => name);
  const results = [];
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      results.push(await passes(name, packed));
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results.every((isPassed) => isPassed);
}

async function main(wanted) {
  const isWanted = ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part));
  if (!ALL.some(isWanted)) {
    console.error(`consumers: there is none of that name: ${ALL.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const packed = pack();
  try {
    const first = await allPass([...MORE, ...CONSUMERS].filter(isWanted), AT_ONCE, packed);
    return (await allPass(LAST.filter(isWanted), 1, packed)) && first ? 0 : 1;
  } finally {
    rmSync(packed.folder, { recursive: true, force: true });
  }
}

const [command, name, tarball, folder] = argv.slice(2);
if (command === ONE) {
  const consumer = ALL.find((each) => each.name === name);
  try {
    await (consumer.test ?? testConsumer)(folder, tarball, consumer);
  } catch (error) {
    // The message has the output of what failed, which a stack with its causes would show once more.
    console.error(error.message);
    process.exitCode = 1;
  }
} else process.exitCode = await main(argv.slice(2));
