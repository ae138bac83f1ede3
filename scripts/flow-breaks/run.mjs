// Breaks the flows of the library on a copy, one break at a time (list.mjs), and says which test notices.
//   node scripts/flow-breaks/run.mjs [part of a break's name]        SHARD=1/2 runs every second one
// A break that no test notices, and one whose text is not in the file any more, is a failure.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, cwd, env, execPath, exit } from 'node:process';
import { BREAKS } from './list.mjs';

const wanted = argv[2] ?? '';
const [shard, shards] = (env.SHARD ?? '1/1').split('/').map(Number);
const copy = mkdtempSync(join(tmpdir(), 'flow-breaks-'));
let failures = 0;
try {
  const files = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n').filter(existsSync);
  const archive = execFileSync('tar', ['c', ...files], { maxBuffer: 2 ** 30 });
  execFileSync('tar', ['x', '-C', copy], { input: archive });
  symlinkSync(join(cwd(), 'node_modules'), join(copy, 'node_modules'));
  for (const [index, each] of BREAKS.entries()) {
    if (!each.name.includes(wanted) || index % shards !== shard - 1) continue;
    const noticed = tryBreak(each);
    if (noticed === undefined) failures++;
    console.log(`| ${each.name} | ${each.file.slice(4)} | ${noticed ?? '**nothing**'} |`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
exit(failures > 0 ? 1 : 0);

/** @returns the spec and the first test that failed */
function tryBreak({ file, from, to, specs }) {
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(from).length !== 2) {
    console.error(`STALE: ${file} has not exactly one ${from}`);
    return undefined;
  }
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  try {
    for (const spec of specs) {
      const noticed = firstFailure(spec.startsWith('lib/') ? spec : `test/${spec}`);
      if (noticed !== undefined) return noticed;
    }
    return undefined;
  } finally {
    writeFileSync(path, source);
  }
}

function firstFailure(spec) {
  const jest = ['node_modules/jest/bin/jest.js', spec, '-i'];
  const { status, stderr } = spawnSync(execPath, ['--experimental-vm-modules', '--no-warnings', ...jest], {
    cwd: copy,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (/No tests found/.test(stderr)) throw new Error(`There is no spec ${spec}`);
  if (status === 0) return undefined;
  if (/● Test suite failed to run/.test(stderr))
    throw new Error(`${spec} does not start: ${stderr.slice(0, 2000)}`);
  const [, test = 'does not start'] = /^ +● (.*)$/m.exec(stderr) ?? [];
  const [, file = spec] = /^FAIL (\S+)/m.exec(stderr) ?? [];
  return `${file.replace(/^test\//, '')}: ${test.split(' › ').at(-1)}`;
}
