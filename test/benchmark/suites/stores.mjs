// The cost of each operation with few and with many sessions in the table, and the number of refreshes per second.
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { embeddedCore } from 'nest-sessions';
import { coreContext } from '../subjects/core-context.mjs';
import { interleaved, median, rateOf, costOf } from '../measure.mjs';
import { ms, printTable } from '../report.mjs';
import { filler } from '../subjects/filler.mjs';
import { openStores, STORES } from '../subjects/store-subject.mjs';

const FULL = {
  rows: [10_000, 100_000, 1_000_000],
  rounds: 15,
  times: 40,
  sample: 1200,
  seconds: 6,
  passes: 3,
};
const QUICK = { rows: [1000, 4000], rounds: 3, times: 5, sample: 60, seconds: 0.2, passes: 1 };
/** Between so many bulk inserts the sample is spread: it must not lie together at the end of the table. */
const CHUNKS = 40;
const CALLERS = 16;
const PARTS = ['operations', 'sweep', 'rate', 'signature'];
const SWEEP_LIMIT = 5000;
const MAX_RATIO = 1.3;
const GOAL_PER_VCPU = 1200;
const KEYCLOAK_PER_VCPU = 120;

/** @param {{ quick: boolean, rows?: string, store?: string, part?: string }} options */
export async function run({ quick, rows, store, part }) {
  const parts = part === undefined ? PARTS : PARTS.filter((name) => part.split(',').includes(name));
  const effort = quick ? QUICK : FULL;
  const sizes = rows === undefined ? effort.rows : rows.split(',').map(Number);
  const names = store === undefined ? STORES : STORES.filter((name) => store.split(',').includes(name));
  if (names.length === 0 || parts.length === 0 || !sizes.every((size) => size >= CHUNKS)) {
    throw new TypeError(
      `--store takes some of ${STORES.join()}; --part some of ${PARTS.join()}; --rows numbers from ${CHUNKS}`,
    );
  }
  for (const name of names) await measureStore(name, sizes, effort, parts);
  if (parts.includes('signature')) await measureSignature(effort);
}

async function measureStore(name, sizes, effort, parts) {
  const subject = await openStores(name);
  try {
    const tables = [];
    for (const size of sizes) tables.push(await filledTable(subject, size, effort.sample));
    if (parts.includes('operations')) await measureOperations(name, sizes, tables, effort);
    if (parts.includes('sweep')) await measureSweep(name, sizes, tables, effort);
    if (parts.includes('rate')) await measureRate(name, sizes.at(-1), tables.at(-1), subject, effort);
    // The pool and the databases are closed by the subject.
    for (const { core } of tables) await core.close();
  } finally {
    await subject.close();
  }
}

/** A table with so many rows, among them a sample of sessions whose tokens are known. */
async function filledTable(subject, size, sampleSize) {
  const table = await subject.table(`rows_${size}`);
  const core = embeddedCore({ store: table.store }).create(coreContext());
  await core.start();
  const perChunk = Math.floor(size / CHUNKS);
  const sessions = [];
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    await table.fill(chunk * perChunk, perChunk);
    for (let i = 0; i < sampleSize / CHUNKS; i++) sessions.push(await create(core));
  }
  await table.settle();
  if (table.serverBytes !== undefined) {
    const bytes = await table.serverBytes();
    console.log(
      `${size} sessions: ${(bytes / (size + sessions.length)).toFixed(0)} bytes a session in the server`,
    );
  }
  return { size, core, store: table.store, sample: await sampleOf(core, table.store, sessions) };
}

/** Thirds of the sample, each for operations that leave it fit for the next. */
async function sampleOf(core, store, sessions) {
  const current = [];
  const rotating = [];
  const bare = [];
  for (const [index, { session, refreshToken, accessToken }] of sessions.entries()) {
    const key = { tenantId: 'public', sessionHandle: session.handle };
    if (index % 3 === 0) current.push({ key, token: refreshToken.token, accessToken: accessToken.token });
    // A child that nobody has used yet: presenting it promotes it.
    if (index % 3 === 1)
      rotating.push({ token: (await refresh(core, refreshToken.token)).refreshToken.token });
    if (index % 3 === 2) bare.push({ key, hash: (await store.findSession(key)).refreshTokenHash2 });
  }
  return { current: inTurn(current), rotating: inTurn(rotating), bare: inTurn(bare), list: rotating };
}

/** The operations that are measured on a table. */
const OPERATIONS = {
  create: ({ core }) => create(core),
  '- its statement alone (insert)': ({ store }) => store.insertSession(newRow()),
  'refresh, presented token is current': ({ core, sample }) => refresh(core, sample.current().token),
  '- its statement alone (read)': ({ store, sample }) => store.findSession(sample.current().key),
  'refresh, presented token is promoted': ({ core, sample }) => rotate(core, sample.rotating()),
  '- its statement alone (compare-and-set)': ({ store, sample }) => promote(store, sample.bare()),
  'verify with database': ({ core, sample }) => verify(core, sample.current().accessToken),
  'list by user': ({ core, size }) => list(core, size),
};

async function measureOperations(name, sizes, tables, effort) {
  const rows = [];
  for (const [operation, work] of Object.entries(OPERATIONS)) {
    const costs = await interleaved(
      tables.map((table) => () => work(table)),
      effort,
    );
    rows.push([
      operation,
      ...costs.map(({ wallMs, cpuMs }) => `${ms(wallMs)} (${ms(cpuMs)})`),
      ...ratios(costs),
    ]);
  }
  printTable(
    `${name}: milliseconds an operation, wall (CPU of this process); ratio of most to fewest rows, at most ${MAX_RATIO}`,
    ['operation', ...sizes.map((size) => `${size} rows`), 'ratio wall', 'CPU'],
    rows,
  );
}

/** Whole passes, step by step: a step looks at a bounded stretch, which a small table does not fill. */
async function measureSweep(name, sizes, tables, { passes }) {
  const steps = tables.map(() => []);
  const perThousand = tables.map(() => []);
  for (let pass = 0; pass < passes; pass++) {
    for (const [index, table] of tables.entries()) {
      const times = await sweepOnce(table.store);
      steps[index].push(...times);
      perThousand[index].push({ wallMs: times.reduce((sum, time) => sum + time, 0) / (table.size / 1000) });
    }
  }
  const stepCosts = steps.map((times) => ({ wallMs: median(times) }));
  const rowCosts = perThousand.map((costs) => ({ wallMs: median(costs.map(({ wallMs }) => wallMs)) }));
  const line = (title, costs) => [title, ...costs.map(({ wallMs }) => ms(wallMs)), ratioOf(costs, 'wallMs')];
  printTable(
    `${name}: sweeping, milliseconds wall`,
    ['', ...sizes.map((size) => `${size} rows`), 'ratio'],
    [line('one step', stepCosts), line('a whole pass, per 1000 rows', rowCosts)],
  );
}

async function sweepOnce(store) {
  const times = [];
  for (let mayHaveMore = true; mayHaveMore;) {
    const began = performance.now();
    ({ mayHaveMore } = await store.deleteExpiredSessions(Date.now(), SWEEP_LIMIT));
    times.push(performance.now() - began);
  }
  return times;
}

async function measureRate(name, size, { core, store, sample }, subject, { seconds }) {
  const setting = { callers: CALLERS, seconds, serverCpuMs: subject.serverCpuMs };
  const chains = sample.list.slice(0, CALLERS);
  const whole = await rateOf((caller) => rotate(core, chains[caller]), setting);
  const usual = await rateOf(() => refresh(core, sample.current().token), setting);
  const bare = Array.from({ length: CALLERS }, () => sample.bare());
  const statements = await rateOf((caller) => findAndPromote(store, bare[caller]), setting);
  const line = (title, { perSecond, clientCpuMs, serverCpuMs }) => [
    title,
    perSecond.toFixed(0),
    ms(clientCpuMs),
    ms(serverCpuMs),
    (1000 / (clientCpuMs + serverCpuMs)).toFixed(0),
  ];
  printTable(
    `${name}: ${CALLERS} callers at once in one process, ${size} rows`,
    ['', 'per second', 'CPU ms here', 'CPU ms server', 'per CPU second'],
    [
      line('refresh, presented token is promoted', whole),
      line('- its statement alone (no tokens, no signature)', statements),
      line('refresh, presented token is current', usual),
    ],
  );
  console.log(
    `\nAnchors, per second and vCPU: Keycloak's sizing guide ${KEYCLOAK_PER_VCPU}, the goal ${GOAL_PER_VCPU}`,
  );
}

/** The part of a refresh that no store can change. */
async function measureSignature({ rounds, times, seconds }) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const data = randomBytes(700);
  const signInBackground = promisify(sign);
  const [cost] = await interleaved([async () => sign('sha256', data, privateKey)], { rounds, times });
  const work = () => signInBackground('sha256', data, privateKey);
  const rate = await rateOf(work, { callers: CALLERS, seconds, serverCpuMs: () => 0 });
  const hash = await costOf(async () => createHash('sha256').update(data).digest(), 1000);
  printTable(
    'Bare node:crypto, to compare with',
    ['', 'ms wall', 'ms CPU', 'per CPU second'],
    [
      ['RS256 signature', ms(cost.wallMs), ms(cost.cpuMs), (1000 / cost.cpuMs).toFixed(0)],
      [
        `RS256 signature, ${CALLERS} at once (${rate.perSecond.toFixed(0)} per second)`,
        '',
        ms(rate.clientCpuMs),
        (1000 / rate.clientCpuMs).toFixed(0),
      ],
      ['SHA-256 of a token', ms(hash.wallMs), ms(hash.cpuMs), (1000 / hash.cpuMs).toFixed(0)],
    ],
  );
}

function create(core) {
  return core.createSession(
    {
      tenantId: 'public',
      recipeUserId: `sample-${randomUUID()}`,
      userDataInJWT: { role: 'admin' },
      userDataInDatabase: { theme: 'dark' },
      useDynamicSigningKey: true,
      enableAntiCsrf: false,
    },
    {},
  );
}

async function refresh(core, refreshToken) {
  const result = await core.refreshSession(
    { refreshToken, antiCsrfToken: undefined, enableAntiCsrf: false, useDynamicSigningKey: true },
    {},
  );
  if (result.status !== 'OK') throw new Error(`A refresh returned ${result.status}`);
  return result;
}

async function rotate(core, chain) {
  chain.token = (await refresh(core, chain.token)).refreshToken.token;
}

async function verify(core, accessToken) {
  const { status } = await core.verifySession(
    {
      accessToken,
      antiCsrfToken: undefined,
      doAntiCsrfCheck: false,
      enableAntiCsrf: false,
      checkDatabase: true,
    },
    {},
  );
  if (status !== 'OK') throw new Error(`A verification returned ${status}`);
}

async function list(core, size) {
  const userId = filler.userId(Math.floor(Math.random() * size));
  await core.getSessionHandlesOfUser({ userId, tenantId: 'public', includeLinkedAccounts: false }, {});
}

async function promote(store, session) {
  const promotion = nextOf(session);
  const { where, change } = promotion;
  const row = await store.update(session.key, where, change);
  if (row === undefined) throw new Error('A promotion did not happen');
  session.hash = promotion.change.refreshTokenHash2;
}

/** The calls of the store in a refresh that promotes. */
async function findAndPromote(store, session) {
  const promotion = nextOf(session);
  const unlessMentioned = ['session_expiry', 'session_idle'];
  const { isUpdated } = await store.findAndUpdate(session.key, { ...promotion, unlessMentioned });
  if (!isUpdated) throw new Error('A promotion did not happen');
  session.hash = promotion.change.refreshTokenHash2;
}

function nextOf({ hash }) {
  const nowMs = Date.now();
  return {
    where: { refreshTokenHash2: hash, minExpiresAtMs: nowMs },
    change: {
      refreshTokenHash2: randomBytes(32).toString('hex'),
      prevRefreshTokenHash2: hash,
      rotatedAtMs: nowMs,
      expiresAtMs: filler.liveUntilMs,
    },
  };
}

function newRow() {
  return {
    tenantId: 'public',
    sessionHandle: randomUUID(),
    userId: `sample-${randomUUID()}`,
    refreshTokenHash2: randomBytes(32).toString('hex'),
    sessionData: filler.sessionData,
    accessTokenPayload: filler.payload,
    expiresAtMs: filler.liveUntilMs,
    createdAtMs: filler.firstCreatedAtMs,
    useStaticKey: false,
    prevRefreshTokenHash2: undefined,
    rotatedAtMs: undefined,
  };
}

function inTurn(items) {
  let next = 0;
  return () => items[next++ % items.length];
}

function ratios(costs) {
  return [ratioOf(costs, 'wallMs'), ratioOf(costs, 'cpuMs')];
}

function ratioOf(costs, kind) {
  return (costs.at(-1)[kind] / costs[0][kind]).toFixed(2);
}
