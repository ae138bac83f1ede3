// The time that the routes of the dashboard take with many sessions and records, over HTTP as its page asks for them.
import 'reflect-metadata';
import { Controller, Module, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Pool } from 'pg';
import { embeddedCore, postgresStore, SessionModule, SessionService } from 'nest-sessions';
import { SessionDashboardModule } from 'nest-sessions/dashboard';
import { median, middleHalf } from '../measure.mjs';
import { ms, printTable } from '../report.mjs';
import { filler } from '../subjects/filler.mjs';
import { openServer } from '../subjects/postgres-store.mjs';

const FULL = { rows: 1_000_000, times: 60 };
const QUICK = { rows: 4000, times: 5 };
const CHUNK = 50_000;
/** The goal for the median of each route. */
const MAX_MS = 300;
const ORIGIN = 'http://localhost';

/** @param {{ quick: boolean, rows?: string }} options */
export async function run({ quick, rows }) {
  const effort = quick ? QUICK : FULL;
  const size = rows === undefined ? effort.rows : Number(rows);
  const server = await openServer();
  const pool = new Pool({ connectionString: server.url, max: 8 });
  const schema = `benchmark_${process.pid}`;
  const app = await startApplication(pool, schema);
  try {
    await fillTables(pool, schema, size);
    const call = await signIn(await app.getUrl());
    const table = [];
    for (const [name, path] of Object.entries(routes(size)))
      table.push(await measure(name, () => call(path), effort.times));
    printTable(
      `postgres, ${size} sessions and as many records: milliseconds of one request, at most ${MAX_MS} in the median`,
      ['', 'median', 'middle half', 'longest'],
      table,
    );
  } finally {
    await app.close();
    await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    await pool.end();
    await server.close();
  }
}

/** The paths below the dashboard that the page asks for. */
function routes(size) {
  const user = filler.userId(Math.floor(size / 2));
  const middle = filler.firstCreatedAtMs + Math.floor(size / 2);
  return {
    'the page': '',
    'summary: counts, curves, instances': '/data/summary',
    'the newest sessions': '/data/sessions',
    'the sessions of a user': `/data/sessions?userId=${user}`,
    'sessions before a moment in the middle': `/data/sessions?createdBefore=${middle}`,
    'sessions by device, 1000 looked at and none found': '/data/sessions?device=no-such-device',
    'count of everybody, up to 10,000': '/data/count',
    'one session, with its life': `/data/story?sessionHandle=filler-session-${Math.floor(size / 2) + 1}`,
    'the newest records': '/data/trail',
    'the records of a user': `/data/trail?userId=${user}`,
    'records of a kind that there is none of': '/data/trail?kind=session.theft-detected',
    'signing keys': '/data/keys',
  };
}

async function measure(name, request, times) {
  await request();
  const walls = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await request();
    walls.push(performance.now() - began);
  }
  const [low, high] = middleHalf(walls).map(ms);
  if (median(walls) > MAX_MS) process.exitCode = 1;
  return [name, ms(median(walls)), `${low} to ${high}`, ms(Math.max(...walls))];
}

async function startApplication(pool, schema) {
  class SignInController {
    constructor(sessions) {
      this.sessions = sessions;
    }

    async signIn(req, res) {
      await this.sessions.createNewSession(req, res, { userId: 'operator' });
    }
  }
  Reflect.defineMetadata('design:paramtypes', [SessionService], SignInController);
  Req()(SignInController.prototype, 'signIn', 0);
  Res({ passthrough: true })(SignInController.prototype, 'signIn', 1);
  Post('sign-in')(
    SignInController.prototype,
    'signIn',
    Object.getOwnPropertyDescriptor(SignInController.prototype, 'signIn'),
  );
  Controller()(SignInController);
  class AppModule {}
  Module({
    imports: [
      SessionModule.forRoot({
        appInfo: { appName: 'b', apiDomain: ORIGIN, websiteDomain: ORIGIN },
        core: embeddedCore({ store: postgresStore(pool, { schema }) }),
        audit: {},
        devices: {},
        revocationFeed: {},
        logStartup: false,
      }),
      SessionDashboardModule.forRoot({ path: 'dashboard', authorize: () => true }),
    ],
    controllers: [SignInController],
  })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  return app.listen(0, '127.0.0.1').then(() => app);
}

async function fillTables(pool, schema, size) {
  for (let from = 0; from < size; from += CHUNK) {
    const range = `generate_series(${from}, ${Math.min(from + CHUNK, size) - 1}) AS i`;
    const session = `'filler-session-' || i, 'filler-' || (i / ${filler.sessionsOfUser})`;
    await pool.query(`INSERT INTO ${schema}.session_info (session_handle, user_id, refresh_token_hash_2, session_data,
        jwt_user_payload, expires_at, created_at_time, use_static_key)
      SELECT ${session}, lpad(to_hex(i), 64, '0'), '${filler.sessionData}', '${filler.payload}',
        CASE WHEN i % ${filler.expiredShare} = 0 THEN ${filler.expiredSinceMs} ELSE ${filler.liveUntilMs} END,
        ${filler.firstCreatedAtMs} + i, false FROM ${range}`);
    await pool.query(`INSERT INTO ${schema}.nest_sessions_audit (kind, noted_at, keep_until, session_handle, user_id, tenant_id, created_at, expires_at, details)
      SELECT 'session.created', ${filler.firstCreatedAtMs} + i, ${filler.liveUntilMs}, ${session}, 'public', ${filler.firstCreatedAtMs} + i, ${filler.liveUntilMs}, '{}' FROM ${range}`);
  }
  await pool.query(`VACUUM ANALYZE ${schema}.session_info`);
  await pool.query(`VACUUM ANALYZE ${schema}.nest_sessions_audit`);
  await pool.query('CHECKPOINT');
}

/** @returns reads a path of the dashboard as its page does; the body is read, too */
async function signIn(url) {
  const response = await fetch(`${url}/sign-in`, { method: 'POST', headers: { 'st-auth-mode': 'cookie' } });
  const cookie = response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  return async (path) => {
    const response = await fetch(`${url}/dashboard${path}`, {
      headers: { cookie, 'sec-fetch-site': 'same-origin' },
    });
    if (!response.ok) throw new Error(`${path} responded with ${response.status}: ${await response.text()}`);
    return response.text();
  };
}
