// Records what a release leaves in a database, for the upgrade test of all later ones:
//   npm run build && node test/contract/upgrade/record-release.mjs
// writes test/fixtures/releases/<version>/: the tables as that version makes them, their rows, and the tokens that its
// users hold. Run it once for each release, before its version is raised; never again for a version that is out.
import 'reflect-metadata';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import Database from 'libsql';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const target = join(ROOT, 'test/fixtures/releases', version);
if (existsSync(target)) throw new Error(`${target} is there already: a release is recorded once`);
const { SessionModule, SessionService, embeddedCore, schemaSql, sqliteStore } = await import(
  join(ROOT, 'dist/index.js')
);

const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-release-'));
const database = new Database(join(folder, 'sessions.db'));
try {
  const sessions = { ...(await record(true)), ...(await record(false)) };
  mkdirSync(target, { recursive: true });
  for (const engine of ['sqlite', 'postgres'])
    writeFileSync(join(target, `schema.${engine}.sql`), schemaSql(engine));
  writeFileSync(join(target, 'rows.sql'), rowsAsSql());
  const recorded = { version, recordedAtMs: Date.now(), sessions };
  writeFileSync(join(target, 'sessions.json'), `${JSON.stringify(recorded, undefined, 2)}\n`);
  console.log(`recorded ${Object.keys(sessions).length} sessions of ${version}`);
} finally {
  database.close();
  rmSync(folder, { recursive: true, force: true });
}

/** Lives a few sessions in an application on the database. */
async function record(useDynamicAccessTokenSigningKey) {
  const module = SessionModule.forRoot({
    appInfo: { appName: 'Shop', apiDomain: 'https://api.shop.io', websiteDomain: 'https://shop.io' },
    core: embeddedCore({ store: sqliteStore(database), accessTokenValidityJitter: 0 }),
    antiCsrf: 'VIA_TOKEN',
    useDynamicAccessTokenSigningKey,
  });
  const app = await NestFactory.createApplicationContext(module, { logger: false });
  const service = app.get(SessionService, { strict: false });
  try {
    return useDynamicAccessTokenSigningKey
      ? {
          new: await create(service, 'ada'),
          refreshed: await refreshed(service, 'grace'),
          used: await used(service, 'alan'),
          changed: await changed(service, 'ünïcode "quoted" ’user’'),
          ofTenant: await create(service, 'ada', { tenantId: 'tenant-1' }),
          revoked: await revoked(service, 'gone'),
        }
      : { staticKey: await create(service, 'ada') };
  } finally {
    await app.close();
  }
}

async function create(service, userId, input = {}) {
  const session = await service.createNewSessionWithoutRequestResponse({
    userId,
    accessTokenPayload: { plan: 'pro' },
    sessionDataInDatabase: { basket: ["it's", 1, null] },
    ...input,
  });
  return { userId, sessionHandle: session.getHandle(), ...tokensOf(session) };
}

function tokensOf(session) {
  const { accessToken, refreshToken, antiCsrfToken } = session.getAllSessionTokensDangerously();
  return { accessToken, refreshToken, antiCsrfToken };
}

/** A refresh whose response nobody has used yet. */
async function refreshed(service, userId) {
  const first = await create(service, userId);
  return { ...first, successor: tokensOf(await service.refreshSessionWithoutRequestResponse(first)) };
}

/** A refresh whose tokens are in use: the first refresh token is a stolen one from now on. */
async function used(service, userId) {
  const session = await refreshed(service, userId);
  await service.getSessionWithoutRequestResponse(session.successor);
  return session;
}

async function changed(service, userId) {
  const session = await create(service, userId);
  await service.mergeIntoAccessTokenPayload(session.sessionHandle, { plan: 'free', added: true });
  await service.updateSessionDataInDatabase(session.sessionHandle, { basket: [] });
  return session;
}

async function revoked(service, userId) {
  const session = await create(service, userId);
  await service.revokeSession(session.sessionHandle);
  return session;
}

/** `INSERT` statements that SQLite and PostgreSQL both understand. */
function rowsAsSql() {
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    .all()
    .map(({ name }) => name)
    .filter((name) => !name.endsWith('_migrations'));
  return tables
    .flatMap((table) =>
      database
        .prepare(`SELECT * FROM ${table}`)
        .all()
        .map((row) => {
          const names = Object.keys(row);
          return `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map((name) => literal(name, row[name])).join(', ')});\n`;
        }),
    )
    .join('');
}

function literal(name, value) {
  if (value === null) return 'NULL';
  if (name.startsWith('use_')) return value ? 'TRUE' : 'FALSE';
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
}
