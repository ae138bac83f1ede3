// A guarded request of a session that is bound to a device, beside the same of one that is not: what the proof costs.
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { interleaved, median } from '../measure.mjs';
import { microseconds, printTable, withSpread } from '../report.mjs';
import { openInProcess } from '../subjects/bound-in-process.mjs';
import { cookieSetIn } from '../subjects/browser-requests.mjs';
import { headerOf, KeepAliveClient } from '../subjects/keep-alive-client.mjs';
import { serveApart } from '../subjects/server-process.mjs';

const FULL = { rounds: 15, requests: 4800 };
const QUICK = { rounds: 1, requests: 320 };
const ADAPTERS = ['express', 'fastify'];
const CLIENTS = 32;
const DBSC = { dbsc: true };
const DPOP = { dpop: true };
const ORIGIN = 'https://localhost:1';

/**
 * A candidate to measure: the option, and how a client signs in. The first of a part is what the others of it are compared with. A sign-in
 * returns the headers of all requests, or a function that makes those of the next.
 */
const PARTS = {
  dbsc: [
    { name: 'option off', signIn: signInByCookie },
    { name: 'dbsc on, browser without it', deviceBound: DBSC, signIn: signInByCookie },
    { name: 'dbsc on, bound cookie', deviceBound: DBSC, signIn: signInBound },
  ],
  dpop: [
    { name: 'option off', signIn: signInByHeader },
    { name: 'option off, headers as long as with a proof', signIn: signInWithLongHeaders },
    {
      name: 'the same, and one ES256 verification in the handler',
      verifies: true,
      signIn: signInWithLongHeaders,
    },
    { name: 'dpop on, client without it', deviceBound: DPOP, signIn: signInByHeader },
    { name: 'dpop on, a proof with each request', deviceBound: DPOP, signIn: signInWithProof },
    {
      name: 'the same, and a nonce in each proof',
      deviceBound: { dpop: { nonce: 'always' } },
      signIn: signInWithProof,
    },
  ],
};

/** @param {{ quick: boolean, adapter?: string, part?: string }} options */
export async function run({ quick, adapter, part }) {
  const { rounds, requests } = quick ? QUICK : FULL;
  const isWanted = (given) => (name) => given === undefined || given.split(',').includes(name);
  for (const each of Object.keys(PARTS).filter(isWanted(part))) {
    for (const server of ADAPTERS.filter(isWanted(adapter)))
      await compare(PARTS[each], server, { rounds, requests });
    if (each === 'dpop') await printInProcess(quick);
  }
}

/** The same without HTTP, where a difference of some microseconds can be seen. */
async function printInProcess(quick) {
  const subject = await openInProcess(() => new ProofKey());
  const effort = quick ? { rounds: 2, times: 100 } : { rounds: 21, times: 400 };
  const cases = subject.cases(effort.rounds * effort.times + effort.times);
  const costs = await interleaved(
    cases.map(({ run: work }) => work),
    effort,
  );
  printTable(
    'without HTTP: sessions.getSession(req, res)',
    ['', 'us CPU'],
    cases.map(({ name }, i) => [name, microseconds(costs[i].cpuMs)]),
  );
  await subject.close();
}

async function compare(arms, adapter, { rounds, requests }) {
  const opened = [];
  try {
    for (const arm of arms) opened.push(await open(arm, adapter));
    for (const arm of opened) await measureRound(arm, requests); // warm-up
    const results = opened.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < opened.length; i++) {
        const index = (round + i) % opened.length;
        results[index].push(await measureRound(opened[index], requests));
      }
    }
    print(arms, adapter, results);
  } finally {
    for (const { close } of opened) await close();
  }
}

async function open({ deviceBound, verifies, signIn }, adapter) {
  const server = await serveApart('bound-nest-sessions.mjs', { adapter, deviceBound, verifies });
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

/** As a browser with DBSC: it responds to the offer of the sign-in with a key of its own. */
async function signInBound(client) {
  const { head } = await client.send('POST', '/login', { 'st-auth-mode': 'cookie' });
  const offer = headerOf(head, 'secure-session-registration') ?? '';
  const [, path, challenge] = /path="([^"]*)";challenge="([^"]*)"/.exec(offer) ?? [];
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const header = { alg: 'ES256', typ: 'dbsc+jwt', jwk: publicKey.export({ format: 'jwk' }) };
  const signed = `${encode(header)}.${encode({ jti: challenge })}`;
  const signature = sign('sha256', signed, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const registered = await client.send('POST', path, {
    ...cookieHeaders({ sAccessToken: cookieSetIn(head, 'sAccessToken') }),
    'Secure-Session-Response': `${signed}.${signature.toString('base64url')}`,
  });
  if (registered.status !== 200) throw new Error(`The registration responded with ${registered.status}`);
  const names = ['sAccessToken', '__Host-sBound'];
  return cookieHeaders(Object.fromEntries(names.map((name) => [name, cookieSetIn(registered.head, name)])));
}

async function signInByHeader(client) {
  const { head } = await client.send('POST', '/login', { 'st-auth-mode': 'header' });
  return { Authorization: `Bearer ${headerOf(head, 'st-access-token')}` };
}

/** As a client whose proofs are not looked at. */
async function signInWithLongHeaders(client) {
  const { Authorization } = await signInByHeader(client);
  const key = new ProofKey();
  return () => ({ Authorization, DPoP: key.proof('GET', '/', Authorization) });
}

/** As a client with DPoP: each request has a proof of its own. */
async function signInWithProof(client) {
  const key = new ProofKey();
  const headers = () => ({ 'st-auth-mode': 'header', DPoP: key.proof('POST', '/login') });
  let { status, head } = await client.send('POST', '/login', headers());
  key.nonce = headerOf(head, 'dpop-nonce');
  if (status === 401) ({ head } = await client.send('POST', '/login', headers()));
  const token = headerOf(head, 'st-access-token');
  const next = () => ({ Authorization: `DPoP ${token}`, DPoP: key.proof('GET', '/', token) });
  return Object.assign(next, {
    keep: (response) => (key.nonce = headerOf(response, 'dpop-nonce') ?? key.nonce),
  });
}

let lastId = 0;

class ProofKey {
  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.privateKey = privateKey;
    this.header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) });
  }

  proof(htm, path, token) {
    const claims = {
      jti: `00000000-0000-4000-8000-${String(lastId++).padStart(12, '0')}`,
      htm,
      htu: ORIGIN + path,
      iat: Math.floor(Date.now() / 1000),
      ...(token === undefined ? {} : { ath: hash('sha256', token, 'base64url') }),
      ...(this.nonce === undefined ? {} : { nonce: this.nonce }),
    };
    const signed = `${this.header}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), {
      key: this.privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    return `${signed}.${signature.toString('base64url')}`;
  }
}

function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function cookieHeaders(cookies) {
  const pairs = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
  return { 'st-auth-mode': 'cookie', rid: 'session', Cookie: pairs.join('; ') };
}

/** The headers are made before, so that this process does not take the time of the server. */
async function measureRound({ clients, headers, cpuMs }, requests) {
  const each = requests / clients.length;
  const made = headers.map((own) =>
    Array.from({ length: each }, () => (typeof own === 'function' ? own() : own)),
  );
  const [cpuBefore, began] = [await cpuMs(), performance.now()];
  const work = async (client, index) => {
    for (const own of made[index]) {
      const { status, head, body } = await client.send('GET', '/', own);
      if (status !== 200) throw new Error(`Got ${status} ${body}`);
      headers[index].keep?.(head);
    }
  };
  await Promise.all(clients.map(work));
  const perSecond = (requests / (performance.now() - began)) * 1000;
  return { perSecond, cpuMs: ((await cpuMs()) - cpuBefore) / requests };
}

function print(arms, adapter, results) {
  const [floor] = results;
  const compared = (rounds, by) => rounds.map((round, n) => by(round, floor[n]));
  printTable(
    `${adapter}, the same ${CLIENTS} sessions: a guarded request`,
    ['', 'per second', 'of option off', 'us CPU', 'us CPU over option off'],
    results.map((rounds, i) => [
      arms[i].name,
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
