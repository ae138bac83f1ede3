// A guarded request of a session that is bound to a device, beside the same of one that is not: what the proof costs.
import { generateKeyPairSync, sign } from 'node:crypto';
import { median } from '../measure.mjs';
import { microseconds, printTable, withSpread } from '../report.mjs';
import { cookieSetIn } from '../subjects/browser-requests.mjs';
import { headerOf, KeepAliveClient } from '../subjects/keep-alive-client.mjs';
import { serveApart } from '../subjects/server-process.mjs';

const FULL = { rounds: 15, requests: 4800 };
const QUICK = { rounds: 1, requests: 320 };
const ADAPTERS = ['express', 'fastify'];
const CLIENTS = 32;
const DBSC = { dbsc: true };

/** What is measured: the option, and how a client signs in. The first is what the others are compared with. */
const ARMS = [
  { name: 'option off', signIn: signInByCookie },
  { name: 'dbsc on, browser without it', deviceBound: DBSC, signIn: signInByCookie },
  { name: 'dbsc on, bound cookie', deviceBound: DBSC, signIn: signInBound },
];

/** @param {{ quick: boolean, adapter?: string }} options */
export async function run({ quick, adapter }) {
  const { rounds, requests } = quick ? QUICK : FULL;
  for (const each of ADAPTERS.filter((name) => adapter === undefined || adapter.split(',').includes(name))) {
    await compare(each, rounds, requests);
  }
}

async function compare(adapter, rounds, requests) {
  const opened = [];
  try {
    for (const arm of ARMS) opened.push(await open(arm, adapter));
    for (const arm of opened) await measureRound(arm, requests); // warm-up
    const results = opened.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < opened.length; i++) {
        const index = (round + i) % opened.length;
        results[index].push(await measureRound(opened[index], requests));
      }
    }
    print(adapter, results);
  } finally {
    for (const { close } of opened) await close();
  }
}

async function open({ deviceBound, signIn }, adapter) {
  const server = await serveApart('bound-nest-sessions.mjs', { adapter, deviceBound });
  const clients = Array.from({ length: CLIENTS }, () => new KeepAliveClient(server.port));
  const headers = await Promise.all(clients.map(signIn));
  return {
    clients,
    headers,
    cpuMs: () => server.cpuMs(),
    close: async () => {
      for (const client of clients) client.close();
      await server.close();
    },
  };
}

async function signInByCookie(client) {
  const { head } = await client.send('POST', '/login', { 'st-auth-mode': 'cookie' });
  return cookieHeaders({ sAccessToken: cookieSetIn(head, 'sAccessToken') });
}

/** As a browser with DBSC: it answers the offer of the sign-in with a key of its own. */
async function signInBound(client) {
  const { head } = await client.send('POST', '/login', { 'st-auth-mode': 'cookie' });
  const offer = headerOf(head, 'secure-session-registration') ?? '';
  const [, path, challenge] = /path="([^"]*)";challenge="([^"]*)"/.exec(offer) ?? [];
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = { alg: 'ES256', typ: 'dbsc+jwt', jwk: publicKey.export({ format: 'jwk' }) };
  const signed = `${encode(header)}.${encode({ jti: challenge })}`;
  const signature = sign('sha256', signed, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const registered = await client.send('POST', path, {
    ...cookieHeaders({ sAccessToken: cookieSetIn(head, 'sAccessToken') }),
    'Secure-Session-Response': `${signed}.${signature.toString('base64url')}`,
  });
  if (registered.status !== 200) throw new Error(`The registration answered ${registered.status}`);
  const names = ['sAccessToken', '__Host-sBound'];
  return cookieHeaders(Object.fromEntries(names.map((name) => [name, cookieSetIn(registered.head, name)])));
}

function cookieHeaders(cookies) {
  const pairs = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
  return { 'st-auth-mode': 'cookie', rid: 'session', Cookie: pairs.join('; ') };
}

async function measureRound({ clients, headers, cpuMs }, requests) {
  const [cpuBefore, began] = [await cpuMs(), performance.now()];
  let left = requests;
  const work = async (client, index) => {
    while (left-- > 0) {
      const { status, body } = await client.send('GET', '/', headers[index]);
      if (status !== 200) throw new Error(`Answered ${status} ${body}`);
    }
  };
  await Promise.all(clients.map(work));
  const perSecond = (requests / (performance.now() - began)) * 1000;
  return { perSecond, cpuMs: ((await cpuMs()) - cpuBefore) / requests };
}

function print(adapter, results) {
  const [floor] = results;
  const compared = (rounds, by) => rounds.map((round, n) => by(round, floor[n]));
  printTable(
    `${adapter}, the same ${CLIENTS} sessions: a guarded request`,
    ['', 'per second', 'of option off', 'us CPU', 'us CPU over option off'],
    results.map((rounds, i) => [
      ARMS[i].name,
      median(rounds.map(({ perSecond }) => perSecond)).toFixed(0),
      withSpread(
        compared(rounds, (round, off) => round.perSecond / off.perSecond),
        (ratio) => ratio.toFixed(2),
      ),
      microseconds(median(rounds.map(({ cpuMs }) => cpuMs))),
      withSpread(
        compared(rounds, (round, off) => round.cpuMs - off.cpuMs),
        microseconds,
      ),
    ]),
  );
}
