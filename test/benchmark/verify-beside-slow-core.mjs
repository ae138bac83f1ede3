// Verification of known tokens while the remote core hangs: does a slow core slow down who does not need it?
// `npm run build && node test/benchmark/verify-beside-slow-core.mjs`
import 'reflect-metadata';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { remoteCore, SessionModule, SessionService } from 'nest-sessions';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'd-1', alg: 'RS256', use: 'sig' };
const core = createServer((request, response) => {
  const json = (body) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (request.url.startsWith('/apiversion')) json({ versions: ['5.4'] });
  else if (request.url.startsWith('/.well-known')) json({ keys: [jwk] });
  // everything else never gets a response
}).listen(0, '127.0.0.1');
await once(core, 'listening');

class AppModule {}
const origin = 'http://localhost:1';
Module({
  imports: [
    SessionModule.forRoot({
      appInfo: { appName: 'b', apiDomain: origin, websiteDomain: origin },
      core: remoteCore({
        connectionURI: `http://127.0.0.1:${core.address().port}`,
        requestTimeoutMs: 600_000,
      }),
    }),
  ],
})(AppModule);
const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const sessions = app.get(SessionService);

const nowSec = Math.floor(Date.now() / 1000);
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
function token(user) {
  const claims = { sub: user, rsub: user, tId: 'public', exp: nowSec + 3600, iat: nowSec };
  const session = { sessionHandle: user, refreshTokenHash1: 'h', parentRefreshTokenHash1: null };
  const text = `${part({ alg: 'RS256', typ: 'JWT', version: '5', kid: 'd-1' })}.${part({ ...claims, ...session })}`;
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`;
}
const tokens = Array.from({ length: 200 }, (_, index) => token(`user-${index}`));
const verify = (accessToken) => sessions.getSessionWithoutRequestResponse({ accessToken });
for (const accessToken of tokens) await verify(accessToken);

async function measure() {
  const times = [];
  for (let i = 0; i < 20_000; i++) {
    const began = process.hrtime.bigint();
    await verify(tokens[i % tokens.length]);
    times.push(Number(process.hrtime.bigint() - began) / 1e3);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  times.sort((a, b) => a - b);
  return { p50: times[10_000], p99: times[19_800] };
}

await measure(); // warm
const rounds = { quiet: [], hanging: [] };
for (let round = 0; round < 5; round++) {
  rounds.quiet.push(await measure());
  if (round === 0) {
    for (let i = 0; i < 100; i++) {
      sessions
        .refreshSessionWithoutRequestResponse({ refreshToken: `r${i}`, disableAntiCsrf: true })
        .catch(() => undefined);
    }
  }
  rounds.hanging.push(await measure());
}
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
// From the second round on 100 calls hang in both columns: the first quiet round is the reference.
const quiet = rounds.quiet[0];
for (const name of ['p50', 'p99']) {
  const hanging = median(rounds.hanging.map((round) => round[name]));
  console.log(
    `${name}: quiet ${quiet[name].toFixed(1)} us, with 100 calls hanging ${hanging.toFixed(1)} us, ratio ${(hanging / quiet[name]).toFixed(2)}`,
  );
}
core.closeAllConnections();
core.close();
await app.close();
