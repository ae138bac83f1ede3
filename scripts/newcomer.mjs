// Times a newcomer: an empty Nest application, then only the steps of the README, up to a request with a session and a test
// of it. Prints the characters that a person types and the time of the machine.
//   npm run build && node scripts/newcomer.mjs
// The test is the README's block behind `<!-- first-test -->`.
import { execFileSync } from 'node:child_process';
import { rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack, root } from './packed.mjs';
import { blockAfter, firstTest, quickStartAsStarter } from './readme.mjs';
import { withServer } from './started-server.mjs';

/** A slow typist: 40 words, of five characters, a minute. */
const CHARACTERS_PER_MINUTE = 200;
const GOALS = { 'signed-in request': 5, test: 10 };

const { folder, tarball } = pack();
const app = join(folder, 'shop');
const steps = [];
let hasFailed = false;
try {
  timed('an empty Nest application (before the stopwatch)', '', () =>
    run(join(root, 'node_modules/.bin/nest'), ['new', 'shop', '--skip-git', '-p', 'npm'], folder),
  );
  const beforeStopwatch = steps.splice(0);
  const install = blockAfter(/^## Install/m, 'sh').trim();
  timed('install the library', install, () =>
    run('npm', ['install', '--no-audit', '--no-fund', tarball], app),
  );
  const quickStart = blockAfter(/<!-- quick-start:.*?-->/, 'ts');
  timed('write main.ts', quickStart, () => writeFileSync(join(app, 'src/main.ts'), quickStart));
  await signedInRequest();
  report('signed-in request');
  writeAndRunTest();
  report('test');
  for (const { name, seconds } of beforeStopwatch) console.log(`(${name}: ${seconds.toFixed(1)} s)`);
} catch (error) {
  hasFailed = true;
  console.error(`newcomer: FAILED: ${error.message}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = hasFailed ? 1 : 0;

/** Starts the application as a newcomer does and sends the README's curl lines, whose comments have the expected output. */
async function signedInRequest() {
  const start = performance.now();
  // Detached: npm, the compiler and the application end together.
  await withServer('npm', ['start'], { cwd: app, detached: true }, (origin) => {
    steps.push({ name: 'start it', typed: 'npm start', seconds: (performance.now() - start) / 1000 });
    const { port } = new URL(origin);
    const lines = blockAfter(/The client says how it wants its tokens/, 'sh')
      .trim()
      .split('\n');
    for (const line of lines) {
      const [command, expected] = line.split(/\s+# /);
      timed(command, command, () => {
        const text = run('sh', ['-c', command.replace('curl', 'curl -s').replace(':3000', `:${port}`)], app);
        if (text !== expected) throw new Error(`${command} prints ${text}, the README says ${expected}`);
      });
    }
  });
}

/** Moves the module into the file of Nest's starter, and tests it with the starter's own test runner. */
function writeAndRunTest() {
  const test = firstTest();
  timed('export AppModule from its own file', 'export import', () => {
    for (const [name, text] of Object.entries(quickStartAsStarter())) writeFileSync(join(app, name), text);
    for (const file of ['src/app.controller.spec.ts', 'test/app.e2e-spec.ts']) unlinkSync(join(app, file));
  });
  timed('write a test and run it', test, () => {
    writeFileSync(join(app, 'test/me.e2e-spec.ts'), test);
    run('npm', ['run', 'test:e2e'], app);
  });
}

function run(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function timed(name, typed, work) {
  const start = performance.now();
  try {
    work();
  } catch (error) {
    throw new Error(`${name}: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`, {
      cause: error,
    });
  }
  steps.push({ name, typed, seconds: (performance.now() - start) / 1000 });
}

function report(milestone) {
  const typed = steps.reduce((sum, step) => sum + step.typed.length, 0);
  const lines = steps.reduce((sum, step) => sum + step.typed.split('\n').filter(Boolean).length, 0);
  const machine = steps.reduce((sum, step) => sum + step.seconds, 0);
  const minutes = machine / 60 + typed / CHARACTERS_PER_MINUTE;
  console.log(`\n${milestone}, goal ${GOALS[milestone]} minutes`);
  for (const step of steps) console.log(`  ${step.seconds.toFixed(1).padStart(6)} s  ${step.name}`);
  console.log(
    `  machine ${machine.toFixed(1)} s; to type or paste: ${lines} lines, ${typed} characters; ` +
      `pasted ${((machine + 10 * steps.length) / 60).toFixed(1)} minutes (10 s a step), ` +
      `typed by hand ${minutes.toFixed(1)} minutes`,
  );
  if ((machine + 10 * steps.length) / 60 > GOALS[milestone]) {
    hasFailed = true;
    console.error(`  later than the goal`);
  }
}
