// From the first import to the first verified request, each time in a fresh process, over the same application without
// sessions.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '../measure.mjs';
import { printTable } from '../report.mjs';
import { serveApart } from '../subjects/server-process.mjs';

const FULL = { starts: 15 };
const QUICK = { starts: 1 };
const MEBIBYTE = 1024 * 1024;

/** @param {{ quick: boolean }} options */
export async function run({ quick }) {
  const { starts } = quick ? QUICK : FULL;
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-benchmark-'));
  const large = { adapter: 'express', providers: 300 };
  const cases = ['express', 'fastify'].flatMap((adapter) => [
    { name: `${adapter}, bare Nest`, options: { adapter, hasSessions: false } },
    {
      name: `${adapter}, memory, RS256: makes RSA keys`,
      options: { adapter, hasSessions: true },
    },
    {
      name: `${adapter}, memory, ES256`,
      options: { adapter, hasSessions: true, signingAlgorithm: 'ES256' },
    },
    {
      name: `${adapter}, SQLite file with keys, RS256`,
      options: { adapter, hasSessions: true, file: join(folder, `${adapter}.db`) },
    },
  ]);
  cases.push(
    { name: 'express, 300 services, bare Nest', options: { ...large, hasSessions: false } },
    {
      name: 'express, 300 services, memory, ES256',
      options: { ...large, hasSessions: true, signingAlgorithm: 'ES256' },
    },
  );
  try {
    for (const { options } of cases) await startOnce(options);
    const found = cases.map(() => []);
    for (let start = 0; start < starts; start++) {
      for (let i = 0; i < cases.length; i++) {
        const index = (start + i) % cases.length;
        found[index].push(await startOnce(cases[index].options));
      }
    }
    print(cases, found);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function startOnce(options) {
  const server = await serveApart('cold-start-app.mjs', options);
  const took = await server.ask('took');
  await server.close();
  return took;
}

function print(cases, found) {
  const of = (index, key) => median(found[index].map((took) => took[key]));
  const bareOf = (index) => cases.findLastIndex(({ options }, i) => i <= index && !options.hasSessions);
  const over = (index, key, unit) =>
    index === bareOf(index) ? '' : ((of(index, key) - of(bareOf(index), key)) / unit).toFixed(1);
  printTable(
    'From the first import to the first verified request, medians of fresh processes',
    ['', 'CPU ms', 'over bare Nest', 'wall ms', 'over bare Nest', 'MiB resident', 'over bare Nest'],
    cases.map(({ name }, i) => [
      name,
      of(i, 'cpuMs').toFixed(0),
      over(i, 'cpuMs', 1),
      of(i, 'wallMs').toFixed(0),
      over(i, 'wallMs', 1),
      (of(i, 'rss') / MEBIBYTE).toFixed(1),
      over(i, 'rss', MEBIBYTE),
    ]),
  );
}
