// How much of our own time a hostile request costs: the guard is called in process, with requests that no HTTP server
// would let through. `npm run build && node test/benchmark/hostile-requests.mjs`
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { SessionGuard, SessionModule, SessionService } from 'nest-sessions';

const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };
class AppModule {}
Module({ imports: [SessionModule.forRoot({ appInfo })] })(AppModule);
const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const guard = app.get(SessionGuard);
const session = await app.get(SessionService).createNewSessionWithoutRequestResponse({ userId: 'u' });
const token = session.getAccessToken();
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = part({ alg: 'RS256', typ: 'JWT', kid: 'd-1', version: '5' });

const REQUESTS = {
  'no session': {},
  'a good session': { authorization: `Bearer ${token}` },
  '16 kB of cookies': { cookie: `${'a=b; '.repeat(3200)}sAccessToken=junk` },
  '16 kB in one cookie': { cookie: `sAccessToken=${'a'.repeat(16_000)}` },
  '1 MB Authorization': { authorization: `Bearer ${'a'.repeat(1 << 20)}` },
  '1 MB of cookies': { cookie: 'sAccessToken=a.b.c; '.repeat(52_000) },
  'deep JSON': { authorization: `Bearer ${header}.${Buffer.from('['.repeat(6000)).toString('base64url')}.x` },
  'a forged signature': { authorization: `Bearer ${token.slice(0, -8)}AAAAAAAA` },
  'an unknown key': { authorization: `Bearer ${header}.${token.split('.')[1]}.${token.split('.')[2]}` },
  'polluting names': {
    cookie: '__proto__=1; constructor=2; sAccessToken=__proto__',
    authorization: '__proto__',
  },
  'broken percent encoding': { cookie: 'sAccessToken=%E0%A4%A; x=%' },
};

const response = { getHeader: () => undefined, setHeader() {}, removeHeader() {}, end() {} };
async function once(headers) {
  const request = { method: 'POST', url: '/', headers };
  const context = new ExecutionContextHost([request, { ...response }], AppModule, once);
  const began = process.hrtime.bigint();
  try {
    await guard.canActivate(context);
  } catch {
    // refused, which is what costs here
  }
  return Number(process.hrtime.bigint() - began) / 1e6;
}

console.log('milliseconds of our own time a request: median, 99th percentile, longest of 2000');
for (const [name, headers] of Object.entries(REQUESTS)) {
  for (let i = 0; i < 200; i++) await once(headers);
  const times = [];
  for (let i = 0; i < 2000; i++) times.push(await once(headers));
  times.sort((a, b) => a - b);
  const at = (share) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(3).padStart(8);
  console.log(`${at(0.5)} ${at(0.99)} ${at(1)}  ${name}`);
}
await app.close();
