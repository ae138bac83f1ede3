// The cost of a page of everybody's sessions with few and with many of them, and that of its index.
import { embeddedCore } from 'nest-sessions';
import { coreContext } from '../subjects/core-context.mjs';
import { interleaved } from '../measure.mjs';
import { ms, printTable } from '../report.mjs';
import { filler } from '../subjects/filler.mjs';
import { openStores, STORES } from '../subjects/store-subject.mjs';

const FULL = { rows: [10_000, 1_000_000], rounds: 15, times: 40 };
const QUICK = { rows: [1000, 4000], rounds: 3, times: 5 };
const CHUNK = 25_000;
const PAGE = 50;
const PARTS = ['pages', 'index'];
/** Rows in the tables whose insertions are compared. */
const INDEXED_ROWS = 100_000;
const MAX_RATIO = 3;

/** @param {{ quick: boolean, rows?: string, store?: string, part?: string }} options */
export async function run({ quick, rows, store, part }) {
  const effort = quick ? QUICK : FULL;
  const parts = part === undefined ? PARTS : part.split(',');
  const sizes = rows === undefined ? effort.rows : rows.split(',').map(Number);
  const names = STORES.filter((name) =>
    store === undefined ? name !== 'redis-synced' : store.split(',').includes(name),
  );
  for (const name of names) {
    const subject = await openStores(name);
    try {
      if (parts.includes('pages')) await measurePages(name, subject, sizes, effort);
      if (parts.includes('index')) await measureIndex(name, subject, quick ? 4000 : INDEXED_ROWS, effort);
    } finally {
      await subject.close();
    }
  }
}

async function measurePages(name, subject, sizes, effort) {
  const tables = [];
  for (const size of sizes) tables.push(await filledTable(subject, `rows_${size}`, size));
  const rows = [];
  for (const [operation, work] of Object.entries(OPERATIONS)) {
    const times = operation.startsWith('count') ? Math.ceil(effort.times / 10) : effort.times;
    const costs = await interleaved(
      tables.map((table) => () => work(table)),
      { ...effort, times },
    );
    rows.push([
      operation,
      ...costs.map(({ wallMs, cpuMs }) => `${ms(wallMs)} (${ms(cpuMs)})`),
      (costs.at(-1).wallMs / costs[0].wallMs).toFixed(2),
    ]);
  }
  printTable(
    `${name}: milliseconds, wall (CPU of this process); ratio of most to fewest rows, at most ${MAX_RATIO}`,
    ['', ...sizes.map((size) => `${size} rows`), 'ratio wall'],
    rows,
  );
  for (const { core } of tables) await core.close();
}

/** Each is one call of the core; those of a page look that it is full. */
const OPERATIONS = {
  'the first page of 50': ({ core }) => page(core, {}),
  'a page of 50 in the middle': ({ core, middle }) => page(core, { after: middle }),
  'the sessions of one user': ({ core, size }) =>
    core.searchSessions({ ...EVERYBODY, userId: filler.userId(Math.floor(size / 2)) }, {}),
  'count, up to 10,000': ({ core }) => core.countSessions({ ...EVERYBODY, limit: 10_000 }, {}),
};
const EVERYBODY = {
  tenantId: undefined,
  userId: undefined,
  createdSinceMs: undefined,
  after: undefined,
  limit: PAGE,
};

async function page(core, conditions) {
  const { sessions } = await core.searchSessions({ ...EVERYBODY, ...conditions }, {});
  if (sessions.length !== PAGE) throw new Error(`${sessions.length} sessions instead of ${PAGE}`);
}

async function filledTable(subject, name, size) {
  const table = await subject.table(name);
  const core = embeddedCore({ store: table.store }).create(coreContext());
  await core.start();
  for (let from = 0; from < size; from += CHUNK) await table.fill(from, Math.min(CHUNK, size - from));
  await table.settle();
  const middle = {
    createdAtMs: filler.firstCreatedAtMs + Math.floor(size / 2),
    tenantId: 'public',
    sessionHandle: 'a',
  };
  return { core, size, middle, table };
}

/** Insertions into two tables, of which one has lost the indexes. */
async function measureIndex(name, subject, size, effort) {
  const indexed = await filledTable(subject, 'indexed', size);
  if (indexed.table.dropSearchIndexes === undefined) return;
  const bare = await filledTable(subject, 'bare', size);
  const bytes = await bare.table.dropSearchIndexes();
  let n = size;
  const costs = await interleaved(
    [indexed, bare].map(
      ({ table }) =>
        () =>
          table.store.insertSession(filler.row(n++)),
    ),
    { ...effort, times: effort.times * 5 },
  );
  printTable(
    `${name}: the indexes for lists, ${(bytes / size).toFixed(0)} bytes a session`,
    ['', 'with', 'without', 'ratio wall', 'ratio CPU here'],
    [
      [
        'insert',
        ...costs.map(({ wallMs, cpuMs }) => `${ms(wallMs)} (${ms(cpuMs)})`),
        (costs[0].wallMs / costs[1].wallMs).toFixed(2),
        (costs[0].cpuMs / costs[1].cpuMs).toFixed(2),
      ],
    ],
  );
  for (const { core } of [indexed, bare]) await core.close();
}
