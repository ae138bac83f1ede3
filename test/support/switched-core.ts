import { basename } from 'node:path';
import { afterAll } from '@jest/globals';
import {
  embeddedCore,
  postgresStore,
  redisStore,
  remoteCore,
  sqliteStore,
  type Clock,
  type EmbeddedCoreOptions,
} from 'nest-sessions';
import type { CoreProvider, SessionStore } from 'nest-sessions/core';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seededMemoryStore, seedSigningKeys, TEST_START_MS } from './embedded.js';
import { OWN_STORES } from './own-stores.mjs';
import { afterLastFile, inEachFile, runningFile } from './hooks-of-file.js';
import { startServedCore } from './served-core.js';
import { startPostgres } from './postgres.js';
import { startRedis } from './redis.js';
import { closeClients, nodeRedis } from './redis-clients.js';

/** Which core the e2e suites run on, see scripts/e2e-variant.mjs; without it the embedded one, in memory. */
const VARIANT = process.env['E2E_CORE'];
/** By which version of the CDI the remote core is spoken to. The suites describe the rules up to 5.5. */
const CDI_VERSION = process.env['E2E_CDI'] ?? '5.4';

/** Beside 5.6 an older one, as a SuperTokens Core has it: what a proof may still refuse goes out in that. */
const SERVED_VERSIONS = CDI_VERSION === '5.6' ? ['5.4', '5.6'] : [CDI_VERSION];

/** Served cores, for an application whose start failed leaves its own to the end of the spec file. */
const servedCores: (() => Promise<void>)[] = [];
/** The home of the store, for all files of this module registry. */
const closings: (() => Promise<void>)[] = [];
if (VARIANT !== undefined) {
  inEachFile(() => afterAll(() => closeAll(servedCores)));
  afterLastFile(() => closeAll(closings));
}

async function closeAll(open: (() => Promise<void>)[]): Promise<void> {
  for (const close of open.splice(0).toReversed()) await close();
}

const openStore = await storeOpener();

/** The core of a test application that brings none of its own, with jitter off and ready-made keys. */
export async function switchedCore(
  coreOptions: Omit<EmbeddedCoreOptions, 'store'> | undefined,
  ownStore: SessionStore | undefined,
): Promise<CoreProvider> {
  if (ownStore === undefined) assertReachedByVariant(runningFile());
  const store = ownStore ?? (await openStore());
  const options = { accessTokenValidityJitter: 0, ...coreOptions, store };
  return VARIANT === 'remote' ? servedCore(options) : embeddedCore(options);
}

/** @throws {Error} the suite is listed as one of which every application brings a store */
function assertReachedByVariant(testPath = ''): void {
  if (OWN_STORES.includes(basename(testPath)))
    throw new Error('This suite is in test/support/own-stores.mjs: bring a store, or take it off the list');
}

async function storeOpener(): Promise<() => Promise<SessionStore>> {
  if (VARIANT === 'sqlite') return async () => seeded(sqliteStore(':memory:', { synchronous: 'NORMAL' }));
  if (VARIANT === 'redis') return redisOpener();
  if (VARIANT !== 'postgres') return seededMemoryStore;
  const postgres = await startPostgres();
  closings.push(() => postgres.stop());
  const pool = postgres.pool();
  return async () => seeded(postgresStore(pool, { schema: postgres.freshSchema() }));
}

/** Lets the tests fail where there is no Redis: the variant was asked for. */
async function redisOpener(): Promise<() => Promise<SessionStore>> {
  const redis = await startRedis();
  closings.push(async () => closeClients().then(() => redis.stop()));
  const client = await (await nodeRedis()).connect(redis.url);
  return async () => seeded(redisStore(client, { keyPrefix: redis.freshPrefix() }));
}

async function seeded(store: SessionStore): Promise<SessionStore> {
  await seedSigningKeys(store);
  return store;
}

/** The embedded core behind `SessionCoreModule`, in an application of its own, and a client of it. */
async function servedCore(coreOptions: EmbeddedCoreOptions): Promise<CoreProvider> {
  const clock = new FollowingClock(TEST_START_MS);
  const served = await startServedCore({ coreOptions, clock, options: { versions: SERVED_VERSIONS } });
  servedCores.push(() => served.close());
  const { problems, create } = remoteCore({
    connectionURI: served.uri,
    newestCdiVersion: CDI_VERSION as '5.0' | '5.4' | '5.6',
  });
  return {
    problems,
    create: (context) => {
      clock.follow(context.clock);
      return create(context);
    },
  };
}

/** The time of the application that a served core works for. */
class FollowingClock extends TestClock {
  private leader: Clock | undefined;

  follow(leader: Clock): void {
    this.leader = leader;
  }

  override now(): number {
    return this.leader?.now() ?? super.now();
  }
}
