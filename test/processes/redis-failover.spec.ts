import { afterAll, afterEach, expect, it } from '@jest/globals';
import { CoreUnavailableError } from '../../lib/errors.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import { create, refresh, refreshed, verify } from '../support/core-calls.js';
import { embeddedCoreOn, seedSigningKeys } from '../support/embedded.js';
import { clientKinds, closeClients } from '../support/redis-clients.js';
import { startRedis, until, type RedisServer } from '../support/redis.js';

const redis = await startRedis();
const kinds = await clientKinds();
afterEach(closeClients);
afterAll(() => redis.stop());

function isPrimary(server: RedisServer | undefined): boolean {
  try {
    return server?.command('ROLE').startsWith('master') === true;
  } catch {
    return false; // it is busy with becoming one
  }
}

/** Asks again while the store is unavailable. */
async function untilItReturns<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof CoreUnavailableError)) throw error;
    }
  }
}

const CALLERS = 8;
const CALLS_BEFORE = 200;
const CALLS_AFTER = 200;

redis.describeKilled('a cluster of which a primary is killed under load, and its replica takes over', () => {
  it.each(kinds)(
    'brings no ended session back, and is served again, by $name (S046 S096)',
    async ({ name, connectCluster }) => {
      const cluster = await redis.cluster();
      const keyPrefix = redis.freshPrefix();
      const options = { keyPrefix, commandTimeoutMs: 1000, waitForReplicas: 1, waitTimeoutMs: 500 };
      const store = redisStore(await connectCluster(cluster.url), options);
      // The replicas of a cluster that has just started may not follow yet.
      await seedSigningKeys(store).catch(async () => seedSigningKeys(store));
      const { core } = embeddedCoreOn(store);
      const counts = { created: 0, refreshed: 0, ended: 0, unavailable: 0 };
      const held = new Map<string, string>();
      const ended = new Map<string, string>();
      const wrong: unknown[] = [];
      const load = { isOver: false };
      const step = async (n: number): Promise<void> => {
        const made = await create(core, { recipeUserId: `user-${Math.floor(Math.random() * 500)}` });
        const { handle } = made.session;
        counts.created++;
        held.set(handle, made.refreshToken.token);
        const next = await refreshed(core, made.refreshToken.token);
        held.set(handle, next.refreshToken.token);
        await verify(core, next.accessToken.token); // its first use makes it the current one
        counts.refreshed++;
        if (n % 2 === 0) return;
        held.delete(handle); // until it is known what came of the ending
        await core.revokeSessions([handle]);
        counts.ended++;
        ended.set(handle, next.refreshToken.token);
      };
      const callers = Array.from({ length: CALLERS }, async () => {
        for (let n = 0; !load.isOver; n++) {
          await step(n).catch((error: unknown) => {
            if (error instanceof CoreUnavailableError) counts.unavailable++;
            else wrong.push(error);
          });
        }
      });
      const acknowledged = (): number => counts.created + counts.ended;
      await until(() => acknowledged() > CALLS_BEFORE || wrong.length > 0);
      const [killed, successor] = [cluster.primaries[0], cluster.replicas[0]];
      await killed?.kill();
      await until(() => isPrimary(successor) || wrong.length > 0);
      const enough = acknowledged() + CALLS_AFTER;
      await until(() => acknowledged() > enough || wrong.length > 0);
      load.isOver = true;
      await Promise.all(callers);
      const after = { OK: 0, UNAUTHORISED: 0, TOKEN_THEFT_DETECTED: 0 };
      for (const token of held.values())
        after[(await untilItReturns(async () => refresh(core, token))).status]++;
      process.stdout.write(
        `\n${name}: ${JSON.stringify(counts)}; live afterwards: ${JSON.stringify(after)}\n`,
      );
      const revived: string[] = [];
      for (const [handle, token] of ended) {
        const { status } = await untilItReturns(async () => refresh(core, token));
        const found = await untilItReturns(async () => core.getSessionInformation(handle));
        if (status !== 'UNAUTHORISED' || found !== undefined) revived.push(handle);
      }
      expect({ wrong, revived }).toEqual({ wrong: [], revived: [] });
      expect(counts.unavailable).toBeGreaterThan(0);
      await core.close();
    },
  );
});

redis.describeKilled('a primary that dies before its replica has the last writes', () => {
  it.each(
    kinds.flatMap((kind) => (kind.connectSentinel ? [{ ...kind, connect: kind.connectSentinel }] : [])),
  )(
    'revives a session whose end waited for no replica, and only that; a refreshed session goes on, by $name (S024 S046)',
    async ({ connect }) => {
      const { primary, replica, sentinelPort, name } = await redis.sentinel();
      const client = await connect(sentinelPort, name);
      const fast = embeddedCoreOn(redisStore(client, { waitForReplicas: 0 }));
      const careful = embeddedCoreOn(redisStore(client, { waitForReplicas: 1, waitTimeoutMs: 30_000 }));
      const hasty = embeddedCoreOn(redisStore(client, { waitForReplicas: 1, waitTimeoutMs: 50 }));
      await seedSigningKeys(fast.store);
      const [lost, refused, kept] = [
        await create(fast.core),
        await create(fast.core),
        await create(fast.core),
      ];
      const handleOf = (made: typeof lost): string => made.session.handle;
      expect(await careful.core.revokeSessions(['00000000-0000-4000-8000-000000000000'])).toEqual([]);
      replica.freeze();
      primary.command('CLIENT', 'KILL', 'TYPE', 'replica'); // what was sent already, the kernel would keep for it
      expect(await fast.core.revokeSessions([handleOf(lost)])).toEqual([handleOf(lost)]);
      await expect(hasty.core.revokeSessions([handleOf(refused)])).rejects.toThrow(CoreUnavailableError);
      const next = await refreshed(fast.core, kept.refreshToken.token);
      expect(await verify(fast.core, next.accessToken.token)).toMatchObject({ status: 'OK' });
      await primary.kill();
      replica.thaw();
      await until(() => isPrimary(replica));
      await untilItReturns(async () => fast.core.getSessionInformation(handleOf(kept)));
      // The guide says so: this end was acknowledged, and the replica never had it.
      expect(await fast.core.getSessionInformation(handleOf(lost))).toBeDefined();
      // This one was not acknowledged, so its caller ends it again.
      expect(await fast.core.revokeSessions([handleOf(refused)])).toEqual([handleOf(refused)]);
      // The promotion is lost, too: the token is the child of the one that is current again, and promotes itself anew.
      const third = await refreshed(fast.core, next.refreshToken.token);
      expect(await verify(fast.core, third.accessToken.token)).toMatchObject({ status: 'OK' });
      await Promise.all([fast, careful, hasty].map(async ({ core }) => core.close()));
    },
  );
});
