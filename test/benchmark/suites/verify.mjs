// Verifying access tokens in process: the same token again and again, tokens that were never seen, and a mix.
import { interleaved, median, rateOf } from '../measure.mjs';
import { microseconds, printTable, versioned } from '../report.mjs';
import { signatureChecks } from '../subjects/signature-checks.mjs';
import { openTokenSource } from '../subjects/verify-subject.mjs';

const FULL = { rounds: 15, times: 600, zipfTokens: 5000, zipfTimes: 3000, seconds: 0.1 };
const QUICK = { rounds: 3, times: 60, zipfTokens: 300, zipfTimes: 300, seconds: 0.02 };
const PARTS = ['same', 'distinct', 'zipf', 'signature'];
const CALLERS = 16;
const BARE = 'bare crypto.verify';
const MAP = 'a bare Map lookup by the token';
const JOSE = `${versioned('jose')}, jwtVerify`;
const SUPERTOKENS = versioned('supertokens-node');
const SERVICE = 'nest-sessions, SessionService';
const DOOR = 'nest-sessions/verify';

/** The subjects that are measured: the file of each and the options of its `open`. */
const SUBJECTS = [
  { name: BARE, file: 'verify-bare.mjs' },
  { name: MAP, file: 'verify-map.mjs', parts: ['same'] },
  { name: JOSE, file: 'verify-jose.mjs' },
  { name: versioned('@nestjs/jwt'), file: 'verify-nestjs-jwt.mjs' },
  { name: versioned('passport-jwt'), file: 'verify-passport-jwt.mjs' },
  { name: SUPERTOKENS, file: 'verify-supertokens-node.mjs' },
  { name: 'nest-sessions, verifier', file: 'verify-nest-sessions.mjs', options: { at: 'verifier' } },
  { name: SERVICE, file: 'verify-nest-sessions.mjs', options: { at: 'service' } },
  { name: `${DOOR}, verifyToken`, file: 'verify-door.mjs', options: { at: 'token' } },
  { name: `${DOOR}, verify(new Request())`, file: 'verify-door.mjs', options: { at: 'request' } },
];

/** The columns of ratios, by name, with the subject that each compares with. */
const PEERS = { 'crypto.verify': BARE, jose: JOSE, 'supertokens-node': SUPERTOKENS };

/**
 * @param {{ quick: boolean, part?: string }} options
 * @returns {Promise<{ ratios: Record<string, number>, figures: Record<string, number> }>} how many times the speed of others ours has, as
 *   the tables show it, and microseconds, as cost-table.mjs reads them
 */
export async function run({ quick, part }) {
  const effort = quick ? QUICK : FULL;
  const parts = part === undefined ? PARTS : PARTS.filter((name) => part.split(',').includes(name));
  if (parts.length === 0) throw new TypeError(`--part takes some of ${PARTS.join()}`);
  const source = await openTokenSource();
  const ratios = {};
  const figures = {};
  try {
    if (parts.includes('same')) await measureSame(source, effort, { ratios, figures });
    if (parts.includes('distinct')) await measureDistinct(source, effort, { ratios, figures });
    if (parts.includes('zipf')) await measureZipf(source, effort);
    if (parts.includes('signature')) await measureSignatures(effort);
  } finally {
    await source.close();
  }
  return { ratios, figures };
}

async function measureSame(source, { rounds, times }, results) {
  const next = repeating(source.tokens(1));
  const effort = { rounds, times: times * 2 };
  await compare('same', 'One token, again and again', source, { effort, tokensFor: () => next }, results);
}

/** No subject sees a token twice, in warm-up and rounds together. */
async function measureDistinct(source, effort, results) {
  const tokens = source.tokens(Math.ceil(effort.times / 4) + effort.rounds * effort.times);
  const title = `${tokens.length} tokens, each of them once`;
  await compare('distinct', title, source, { effort, tokensFor: () => repeating(tokens) }, results);
}

async function compare(part, title, source, { effort, tokensFor }, { ratios, figures }) {
  const subjects = SUBJECTS.filter(({ parts }) => parts === undefined || parts.includes(part));
  const opened = [];
  for (const { file, options } of subjects) opened.push(await openSubject(file, source, options));
  try {
    const cases = opened.map(({ verify }) => {
      const next = tokensFor();
      return () => verify(next());
    });
    const costs = await interleaved(cases, effort);
    const at = (name) => costs[subjects.findIndex((subject) => subject.name === name)];
    const times = (cost) => Object.values(PEERS).map((peer) => (at(peer).wallMs / cost.wallMs).toFixed(2));
    printTable(
      `${title}: microseconds an operation, and how many times the speed of others it has`,
      ['', 'us wall', 'us CPU', ...Object.keys(PEERS).map((peer) => `of ${peer}`)],
      costs.map((cost, i) => [
        subjects[i].name,
        microseconds(cost.wallMs),
        microseconds(cost.cpuMs),
        ...times(cost),
      ]),
    );
    const ours = subjects.flatMap(({ name }, i) =>
      name.startsWith('nest-sessions')
        ? Object.keys(PEERS).map((peer, n) => [`${part}: ${name}, of ${peer}`, Number(times(costs[i])[n])])
        : [],
    );
    Object.assign(ratios, Object.fromEntries(ours));
    for (const [i, { wallMs }] of costs.entries()) {
      const name = subjects[i].name === SERVICE ? 'nest-sessions' : subjects[i].name;
      figures[`${part}: us: ${name}`] = Number((wallMs * 1000).toPrecision(3));
    }
  } finally {
    for (const { close } of opened) await close?.();
  }
}

/** More tokens than are remembered, of which a few are used much more than the others. */
async function measureZipf(source, { rounds, zipfTokens, zipfTimes }) {
  const tokens = source.tokens(zipfTokens);
  const sequence = zipfSequence(tokens, zipfTimes * (rounds + 1));
  const rows = [];
  for (const share of [1, 0.25, 0.1]) {
    const maxCachedTokens = Math.floor(zipfTokens * share);
    const subject = await openSubject('verify-nest-sessions.mjs', source, {
      at: 'verifier',
      maxCachedTokens,
    });
    const next = repeating(sequence);
    let hits = 0;
    let asked = 0;
    const operation = () => {
      const token = next();
      asked++;
      const known = subject.verifier.recall(token);
      if (known === undefined) return subject.verify(token);
      hits++;
    };
    const [cost] = await interleaved([operation], { rounds, times: zipfTimes });
    rows.push([
      `${maxCachedTokens} of them`,
      microseconds(cost.wallMs),
      `${((hits / asked) * 100).toFixed(1)} %`,
    ]);
    await subject.close();
  }
  printTable(
    `${zipfTokens} tokens, the n-th most used of which is used 1/n as often as the first (nest-sessions, verifier)`,
    ['remembered at most', 'us wall', 'known'],
    rows,
  );
}

/** Why the verifier checks signatures as it does. */
async function measureSignatures({ rounds, times, seconds }) {
  const checks = signatureChecks();
  const alone = await interleaved(
    checks.map(({ check }) => check),
    { rounds, times },
  );
  const atOnce = checks.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { check }] of checks.entries()) {
      atOnce[i].push(await rateOf(check, { callers: CALLERS, seconds, serverCpuMs: () => 0 }));
    }
  }
  const of = (results, key) => median(results.map((result) => result[key]));
  printTable(
    `Ways to check a signature: microseconds, one after the other and ${CALLERS} at once`,
    ['', 'us wall', 'us CPU', 'at once, per second', 'us CPU'],
    checks.map(({ name }, i) => [
      name,
      microseconds(alone[i].wallMs),
      microseconds(alone[i].cpuMs),
      of(atOnce[i], 'perSecond').toFixed(0),
      microseconds(of(atOnce[i], 'clientCpuMs')),
    ]),
  );
}

async function openSubject(file, { setting }, options = {}) {
  const { open } = await import(new URL(`../subjects/${file}`, import.meta.url).href);
  return open(setting, options);
}

/** As an HTTP server hands tokens on: each time a string of its own. */
function repeating(tokens) {
  const bytes = tokens.map((token) => Buffer.from(token));
  let next = 0;
  return () => bytes[next++ % bytes.length].latin1Slice();
}

/** The same sequence in each run. */
function zipfSequence(tokens, length) {
  const cumulated = [];
  tokens.reduce((sum, _, n) => (cumulated[n] = sum + 1 / (n + 1)), 0);
  const random = randomNumbers(42);
  return Array.from({ length }, () => tokens[firstAtLeast(cumulated, random() * cumulated.at(-1))]);
}

function firstAtLeast(sorted, value) {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function randomNumbers(seed) {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
