// Compares the start and the refresh of two builds in one run, in turns: node test/benchmark/two-builds.mjs <folder> [rounds]
// The folder is another checkout after `npm run build`; this one has to be built, too.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './measure.mjs';

const SUBJECT = join(dirname(fileURLToPath(import.meta.url)), 'subjects/one-build.mjs');
const WORK = ['start remote', 'start memory-es256', 'start sqlite', 'refresh RS256', 'refresh ES256'];

const builds = { other: resolve(process.argv[2] ?? ''), this: resolve('.') };
const rounds = Number(process.argv[3] ?? 15);
const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-benchmark-'));
const found = new Map();

try {
  for (let round = 0; round <= rounds; round++) {
    for (const work of WORK) {
      for (const [name, build] of Object.entries(builds)) {
        const measured = measure(build, work, join(folder, `${name}.db`));
        if (round === 0) continue; // the first one fills caches, and the file of SQLite with keys
        const key = `${work} ${name}`;
        found.set(key, [...(found.get(key) ?? []), measured]);
      }
    }
  }
  for (const work of WORK) console.log(work.padEnd(20), describe(work));
} finally {
  rmSync(folder, { recursive: true });
}

function measure(build, work, file) {
  const { stdout, stderr } = spawnSync(process.execPath, [SUBJECT, build, ...work.split(' '), file], {
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

function describe(work) {
  const unit = { cpu: work.startsWith('start') ? 'ms' : 'µs', mib: 'MiB' };
  return Object.keys(found.get(`${work} this`)[0])
    .map((key) => {
      const of = (name) => median(found.get(`${work} ${name}`).map((each) => each[key]));
      return `${of('other').toFixed(1)} -> ${of('this').toFixed(1)} ${unit[key]}`;
    })
    .join(', ');
}
