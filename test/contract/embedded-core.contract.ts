import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { EmbeddedCore } from '../../lib/core/embedded/embedded-core.js';
import type { CoreSessionTokens } from '../../lib/core/core.types.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { CoreUnavailableError } from '../../lib/errors.js';
import { create, refresh, refreshed, replacementOf, verify } from '../support/core-calls.js';
import {
  ACCESS_VALIDITY_SEC,
  embeddedCoreOn,
  REFRESH_VALIDITY_SEC,
  rowOf,
  seedSigningKeys,
} from '../support/embedded.js';
import { fcRuns, fcTimeoutMs } from '../fixtures/fc-runs.js';
import { interceptedStore, type AroundCall } from '../support/intercepted-store.js';
import { describeSealedKeysOn } from './sealed-keys.contract.js';

/** How a call of the store fails: before anything happened, or after it happened and unheard. */
type Failure = 'before' | 'after';

/** A session with tokens in every state. */
interface World {
  readonly core: EmbeddedCore;
  readonly handle: string;
  readonly accessToken: string;
  /** The current refresh token. */
  readonly current: string;
  /** Its unused child, and the access token issued together with that. */
  readonly child: string;
  readonly childAccessToken: string;
  /** A refresh token whose child has been used. */
  readonly retired: string;
}

interface Operation {
  readonly name: string;
  run(world: World): Promise<unknown>;
  /** The result when the store works; a summary of it where it is not the same twice. */
  readonly returns: unknown;
  /** When the first try happened unheard, the second finds it done. */
  readonly returnsSecond?: unknown;
}

const user = { userId: 'user-1', tenantId: 'public', includeLinkedAccounts: true };
const statusOf = async (response: Promise<{ status: string; accessToken?: unknown }>): Promise<string> => {
  const { status, accessToken } = await response;
  return accessToken === undefined ? status : `${status} with a token`;
};

const OPERATIONS: readonly Operation[] = [
  {
    name: 'create',
    run: async ({ core }) => (await create(core, { recipeUserId: 'user-2' })).session.userId,
    returns: 'user-2',
  },
  {
    name: 'refresh the current token',
    run: async ({ core, current, child }) => (await refreshed(core, current)).refreshToken.token === child,
    returns: true,
  },
  {
    name: 'refresh the current token with the other kind of key',
    run: async ({ core, current, child }) =>
      (await refreshed(core, current, { useDynamicSigningKey: false })).refreshToken.token === child,
    returns: true,
  },
  {
    name: 'refresh an unused child',
    run: ({ core, child }) => statusOf(refresh(core, child)),
    returns: 'OK with a token',
  },
  {
    name: 'refresh a retired token',
    run: ({ core, retired }) => statusOf(refresh(core, retired)),
    returns: 'TOKEN_THEFT_DETECTED',
  },
  {
    name: 'refresh the current token at once',
    run: ({ core, current }) => statusOf(refresh(core, current, { rotation: 'at-once' })),
    returns: 'OK with a token',
  },
  {
    name: 'refresh an unused child at once',
    run: ({ core, child }) => statusOf(refresh(core, child, { rotation: 'at-once' })),
    returns: 'OK with a token',
  },
  {
    name: 'refresh a token at once that was replaced twice, which ends the session',
    run: async ({ core, current, retired }) => {
      await refresh(core, current, { rotation: 'at-once' });
      await refresh(core, retired, { rotation: 'at-once' });
      return (await refresh(core, current, { rotation: 'at-once' })).status;
    },
    returns: 'UNAUTHORISED',
  },
  {
    name: 'verify at once against the database',
    run: ({ core, accessToken }) =>
      statusOf(verify(core, accessToken, { checkDatabase: true, rotation: 'at-once' })),
    returns: 'OK',
  },
  {
    name: 'verify against the database',
    run: ({ core, accessToken }) => statusOf(verify(core, accessToken, { checkDatabase: true })),
    returns: 'OK',
  },
  {
    name: 'verify for the first time after a refresh',
    run: ({ core, childAccessToken }) => statusOf(verify(core, childAccessToken)),
    returns: 'OK with a token',
  },
  {
    name: 'regenerate with a payload',
    run: ({ core, accessToken }) =>
      statusOf(core.regenerateAccessToken({ accessToken, userDataInJWT: { a: 1 } })),
    returns: 'OK with a token',
  },
  {
    name: 'regenerate without a payload',
    run: ({ core, accessToken }) =>
      statusOf(core.regenerateAccessToken({ accessToken, userDataInJWT: undefined })),
    returns: 'OK with a token',
  },
  {
    name: 'look up',
    run: async ({ core, handle }) => (await core.getSessionInformation(handle))?.userId,
    returns: 'user-1',
  },
  {
    name: 'list',
    run: async ({ core }) => (await core.getSessionHandlesOfUser(user)).length,
    returns: 1,
  },
  { name: 'update the data', run: ({ core, handle }) => core.updateSessionData(handle, {}), returns: true },
  {
    name: 'merge into the data',
    run: ({ core, handle }) => core.mergeSessionData(handle, { a: 1 }),
    returns: true,
  },
  {
    name: 'update the payload',
    run: ({ core, handle }) => core.updateAccessTokenPayload(handle, {}),
    returns: true,
  },
  {
    name: 'revoke by handle',
    run: async ({ core, handle }) => (await core.revokeSessions([handle])).length,
    returns: 1,
    returnsSecond: 0,
  },
  {
    name: 'revoke by user',
    run: async ({ core }) => (await core.revokeSessionsOfUser(user)).length,
    returns: 1,
    returnsSecond: 0,
  },
];

/**
 * The promises of the engine on every store: nothing is lost by a restart, a failing store decides nothing, and no order
 * of its calls revives a session.
 *
 * @param makeStore an empty store; it is closed after each test
 */
export function describeEmbeddedCoreOn(name: string, makeStore: () => Promise<SessionStore>): void {
  describeSealedKeysOn(name, makeStore);
  describe(`the engine on ${name}`, () => {
    let store: SessionStore;

    beforeEach(async () => {
      store = await makeStore();
      await seedSigningKeys(store);
    });
    afterEach(async () => {
      await store.close();
    });

    /** An engine whose calls of the store can be made to wait or fail. */
    const engineWith = (around: AroundCall) => embeddedCoreOn(interceptedStore(store, around));

    async function makeWorld(around: AroundCall): Promise<World> {
      const { core } = engineWith(around);
      await core.revokeSessionsOfUser({ ...user, tenantId: undefined });
      const first = await create(core);
      const second = await refreshed(core, first.refreshToken.token);
      const accessToken = await replacementOf(core, second.accessToken.token);
      const third = await refreshed(core, second.refreshToken.token);
      return {
        core,
        handle: first.session.handle,
        accessToken,
        retired: first.refreshToken.token,
        current: second.refreshToken.token,
        child: third.refreshToken.token,
        childAccessToken: third.accessToken.token,
      };
    }

    describe('the stored expiry', () => {
      it('is moved by the first use of a refreshed token alone, whatever is read and written (S041)', async () => {
        const { core, clock } = embeddedCoreOn(store);
        const first = await create(core);
        const { handle } = first.session;
        const expiry = async (): Promise<number | undefined> =>
          (await core.getSessionInformation(handle))?.expiry;
        const atFirst = await expiry();
        const accessToken = first.accessToken.token;
        for (let cycle = 1; cycle <= 20; cycle++) {
          clock.advanceSeconds(60);
          await core.updateSessionData(handle, { cycle });
          await core.mergeSessionData(handle, { merged: cycle });
          await core.updateAccessTokenPayload(handle, { cycle });
          await core.regenerateAccessToken({ accessToken, userDataInJWT: { cycle } });
          await verify(core, accessToken, { checkDatabase: true });
          await core.getSessionHandlesOfUser(user);
          await refreshed(core, first.refreshToken.token, { useDynamicSigningKey: cycle % 2 === 0 });
          await core.sweepExpired();
          expect(await expiry()).toBe(atFirst);
        }
        const next = await refreshed(core, first.refreshToken.token);
        await replacementOf(core, next.accessToken.token);
        expect(await expiry()).toBe(clock.now() + REFRESH_VALIDITY_SEC * 1000);
      });

      it('ends the session for everybody who kept its tokens, though nothing has swept it (S041)', async () => {
        const { core, clock } = embeddedCoreOn(store);
        const { accessToken, refreshToken } = await create(core);
        clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
        expect(await verify(core, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
        clock.advanceSeconds(REFRESH_VALIDITY_SEC - ACCESS_VALIDITY_SEC);
        expect(await refresh(core, refreshToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
      });
    });

    describe('a failing store', () => {
      const FAILURES: Failure[] = ['before', 'after'];

      it.each(
        FAILURES.flatMap((failure) =>
          OPERATIONS.map((operation) => ({ failure, operation, name: operation.name })),
        ),
      )(
        'decides nothing: $name, the call failing $failure it happens (S030 S049 S096)',
        async ({ failure, operation }) => {
          const cause = new Error('connection terminated unexpectedly');
          /** A fresh world, in which one call that the operation makes fails; none when it makes fewer. */
          const attempt = async (failingCall: number) => {
            let calls = 0;
            let isWatching = false;
            const world = await makeWorld(async (_, call) => {
              const isFailing = isWatching && ++calls === failingCall;
              if (isFailing && failure === 'before') throw cause;
              const result = await call();
              if (isFailing) throw cause;
              return result;
            });
            isWatching = true;
            const outcome = await operation.run(world).catch((error: unknown) => error);
            isWatching = false;
            return { world, outcome, calls };
          };

          const { outcome: response, calls } = await attempt(0);
          expect(response).toEqual(operation.returns);
          expect(calls).toBeGreaterThan(0);
          for (let failingCall = 1; failingCall <= calls; failingCall++) {
            const { world, outcome } = await attempt(failingCall);
            expect(outcome).toBeInstanceOf(CoreUnavailableError);
            expect(outcome).toMatchObject({ cause, retryAfterSec: 1 });
            expect((outcome as Error).message).not.toContain(world.current);
            expect(await operation.run(world)).toEqual(
              failure === 'after' ? (operation.returnsSecond ?? operation.returns) : operation.returns,
            );
          }
        },
      );

      it('loses nothing when the process dies between the write and the response (S024)', async () => {
        const dying: AroundCall = async (name, call) => {
          const result = await call();
          if (name === 'update refreshTokenHash2' || name === 'findAndUpdate') throw new Error('killed');
          return result;
        };
        const alive: AroundCall = (_, call) => call();
        const { core } = engineWith(alive);
        const first = await create(core);
        const second = await refreshed(core, first.refreshToken.token);
        await expect(refresh(engineWith(dying).core, second.refreshToken.token)).rejects.toThrow(
          CoreUnavailableError,
        );
        const restarted = engineWith(alive).core;
        const third = await refreshed(restarted, second.refreshToken.token);
        expect((await refreshed(restarted, second.refreshToken.token)).refreshToken.token).toBe(
          third.refreshToken.token,
        );
        await replacementOf(restarted, third.accessToken.token);
        expect(await refresh(restarted, third.refreshToken.token)).toMatchObject({ status: 'OK' });
      });

      it('verifies tokens meanwhile, and refreshes afterwards without a restart (S096)', async () => {
        let isDown = false;
        const { core } = engineWith((_, call) => (isDown ? Promise.reject(new Error('down')) : call()));
        const { accessToken, refreshToken } = await create(core);
        isDown = true;
        expect(await verify(core, accessToken.token)).toMatchObject({ status: 'OK' });
        await expect(refresh(core, refreshToken.token)).rejects.toThrow(CoreUnavailableError);
        isDown = false;
        expect(await refresh(core, refreshToken.token)).toMatchObject({ status: 'OK' });
      });

      it('can be down while the engine starts, which serves when the store is there (S096)', async () => {
        let isDown = true;
        const { core } = engineWith((_, call) => (isDown ? Promise.reject(new Error('down')) : call()));
        await core.start();
        await expect(create(core)).rejects.toThrow(CoreUnavailableError);
        isDown = false;
        const { refreshToken } = await create(core);
        expect(await refresh(embeddedCoreOn(store).core, refreshToken.token)).toMatchObject({ status: 'OK' });
      });
    });

    describe('calls of the store in any order', () => {
      /** An engine whose calls of the store start, and whose responses arrive, when the scheduler says so. */
      const scheduledEngine = (scheduler: fc.Scheduler) => {
        let isScheduling = false;
        const around: AroundCall = async (name, call) => {
          if (!isScheduling) return call();
          await scheduler.schedule(Promise.resolve(), `-> ${name}`);
          try {
            return await call();
          } finally {
            await scheduler.schedule(Promise.resolve(), `<- ${name}`);
          }
        };
        const { core } = engineWith(around);
        return {
          core,
          together: async (...operations: (() => Promise<unknown>)[]): Promise<void> => {
            isScheduling = true;
            await scheduler.waitFor(Promise.all(operations.map((operation) => operation())));
            isScheduling = false;
          },
        };
      };

      it(
        'never let a revoked session be refreshed, verified against the store, or revived (S045 S046 S114)',
        async () => {
          const kinds = fc.constantFrom(
            'refresh',
            'refresh child',
            'verify',
            'check',
            'regenerate',
            'regenerate child',
            'payload',
            'data',
            'merge',
            'sweep',
          );
          const revocations = fc.constantFrom('by handle', 'by user', 'by both');
          let users = 0;
          await fc.assert(
            fc.asyncProperty(
              fc.scheduler(),
              fc.array(fc.array(kinds, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
              revocations,
              async (scheduler, clients, revocation) => {
                const { core, together } = scheduledEngine(scheduler);
                const userId = `revoked-${++users}`;
                const first = await create(core, { recipeUserId: userId });
                const next = await refreshed(core, first.refreshToken.token);
                const { handle } = first.session;
                const accessToken = first.accessToken.token;
                const handedOut = new Set([first.refreshToken.token, next.refreshToken.token]);
                let isRevoked = false;

                const keep = async (response: ReturnType<typeof refresh>): Promise<boolean> => {
                  const result = await response;
                  if (result.status === 'OK') handedOut.add(result.refreshToken.token);
                  return result.status === 'OK';
                };
                const isOk = async (response: Promise<{ status: string }>): Promise<boolean> =>
                  (await response).status === 'OK';
                const moves: Record<string, () => Promise<boolean>> = {
                  refresh: () => keep(refresh(core, first.refreshToken.token)),
                  'refresh child': () =>
                    keep(refresh(core, next.refreshToken.token, { useDynamicSigningKey: false })),
                  verify: () => isOk(verify(core, next.accessToken.token)),
                  check: () => isOk(verify(core, accessToken, { checkDatabase: true })),
                  regenerate: () =>
                    isOk(core.regenerateAccessToken({ accessToken, userDataInJWT: { a: 1 } })),
                  'regenerate child': () =>
                    isOk(
                      core.regenerateAccessToken({
                        accessToken: next.accessToken.token,
                        userDataInJWT: { a: 2 },
                      }),
                    ),
                  payload: () => core.updateAccessTokenPayload(handle, { b: 1 }),
                  data: () => core.updateSessionData(handle, { c: 1 }),
                  merge: () => core.mergeSessionData(handle, { d: 1 }),
                  sweep: async () => {
                    await core.sweepExpired();
                    return false;
                  },
                };
                const lateSuccesses: string[] = [];
                const client = (names: string[]) => async (): Promise<void> => {
                  for (const name of names) {
                    const startedAfterRevoke = isRevoked;
                    const succeeded = (await moves[name]?.()) ?? false;
                    if (startedAfterRevoke && succeeded) lateSuccesses.push(name);
                  }
                };
                const ended: string[] = [];
                const revokeBy = (revoke: () => Promise<string[]>) => async (): Promise<void> => {
                  ended.push(...(await revoke()));
                  isRevoked = true;
                };
                const revokers = {
                  'by handle': [revokeBy(() => core.revokeSessions([handle]))],
                  'by user': [revokeBy(() => core.revokeSessionsOfUser({ ...user, userId }))],
                  'by both': [
                    revokeBy(() => core.revokeSessionsOfUser({ ...user, userId, tenantId: undefined })),
                    revokeBy(() => core.revokeSessions([handle])),
                  ],
                };
                await together(...revokers[revocation], ...clients.map(client));

                expect(ended).toEqual([handle]);
                expect(lateSuccesses).toEqual([]);
                expect(await core.getSessionInformation(handle)).toBeUndefined();
                expect(await core.getSessionHandlesOfUser({ ...user, userId })).toEqual([]);
                for (const token of handedOut) {
                  expect(await refresh(core, token)).toMatchObject({ status: 'UNAUTHORISED' });
                }
              },
            ),
            { numRuns: fcRuns(30) },
          );
        },
        fcTimeoutMs(30),
      );

      it(
        'lose nothing that was merged into the data of a session (S089 S114)',
        async () => {
          await fc.assert(
            fc.asyncProperty(
              fc.scheduler(),
              fc.array(fc.constantFrom('merge', 'refresh', 'payload'), { minLength: 2, maxLength: 6 }),
              async (scheduler, names) => {
                const { core, together } = scheduledEngine(scheduler);
                const { session, refreshToken } = await create(core);
                const next = await refreshed(core, refreshToken.token);
                const moves = {
                  merge: (n: number) => core.mergeSessionData(session.handle, { [`name-${n}`]: n }),
                  refresh: () => refreshed(core, next.refreshToken.token),
                  payload: (n: number) => core.updateAccessTokenPayload(session.handle, { n }),
                };
                await together(...names.map((name, n) => () => moves[name](n)));
                const merged = names.flatMap((name, n) => (name === 'merge' ? [[`name-${n}`, n]] : []));
                expect((await core.getSessionInformation(session.handle))?.userDataInDatabase).toEqual(
                  Object.fromEntries(merged),
                );
                await core.revokeSessions([session.handle]);
              },
            ),
            { numRuns: fcRuns(30) },
          );
        },
        fcTimeoutMs(30),
      );

      it(
        'let refreshes and first uses of one token end on one successor, without a theft (S022 S024 S114)',
        async () => {
          await fc.assert(
            fc.asyncProperty(
              fc.scheduler(),
              fc.array(fc.constantFrom('refresh', 'verify'), { minLength: 2, maxLength: 6 }),
              async (scheduler, names) => {
                const { core, together } = scheduledEngine(scheduler);
                const first = await create(core);
                const next = await refreshed(core, first.refreshToken.token);
                const successors = new Set<string>();
                const moves = {
                  refresh: async () =>
                    successors.add((await refreshed(core, next.refreshToken.token)).refreshToken.token),
                  verify: () => replacementOf(core, next.accessToken.token),
                };
                await together(...names.map((name) => moves[name]));
                expect(successors.size).toBe(names.includes('refresh') ? 1 : 0);
                const row = await rowOf(store, first.session.handle);
                expect(row.prevRefreshTokenHash2).toBeDefined();
                for (const token of [next.refreshToken.token, ...successors]) {
                  expect(await refresh(core, token)).toMatchObject({ status: 'OK' });
                }
                expect(await refresh(core, first.refreshToken.token)).toMatchObject({
                  status: 'TOKEN_THEFT_DETECTED',
                });
                await core.revokeSessions([first.session.handle]);
              },
            ),
            { numRuns: fcRuns(30) },
          );
        },
        fcTimeoutMs(30),
      );

      it(
        'let refreshes at once of one token leave one pair of the current line, or no session (C92 C94)',
        async () => {
          const atOnceRefresh = { rotation: 'at-once' } as const;
          const atOnce = { ...atOnceRefresh, checkDatabase: true };
          await fc.assert(
            fc.asyncProperty(
              fc.scheduler(),
              fc.array(fc.constantFrom('refresh', 'refresh', 'revoke', 'payload'), {
                minLength: 2,
                maxLength: 5,
              }),
              async (scheduler, names) => {
                const { core, together } = scheduledEngine(scheduler);
                const other = embeddedCoreOn(store).core;
                const { refreshToken, session } = await create(core);
                const pairs: CoreSessionTokens[] = [];
                const moves = {
                  refresh: async () => {
                    const response = await refresh(core, refreshToken.token, atOnceRefresh);
                    if (response.status === 'OK') pairs.push(response);
                  },
                  revoke: () => core.revokeSessions([session.handle]),
                  payload: () => core.updateAccessTokenPayload(session.handle, { a: 1 }),
                };
                await together(...names.map((name) => moves[name]));
                const responses = await Promise.all(
                  pairs.map((pair) => verify(other, pair.accessToken.token, atOnce)),
                );
                const alive = pairs.filter((_, index) => responses[index]?.status === 'OK');
                expect(alive).toHaveLength(names.includes('revoke') || pairs.length === 0 ? 0 : 1);
                for (const pair of alive) {
                  expect(await refresh(other, pair.refreshToken.token, atOnceRefresh)).toMatchObject({
                    status: 'OK',
                  });
                }
                await core.revokeSessions([session.handle]);
              },
            ),
            { numRuns: fcRuns(30) },
          );
        },
        fcTimeoutMs(30),
      );

      it(
        'let a holder and a thief with one token end on one line or on a theft (S023 S114)',
        async () => {
          await fc.assert(
            fc.asyncProperty(fc.scheduler(), fc.nat({ max: 3 }), async (scheduler, moreSteps) => {
              const { core, together } = scheduledEngine(scheduler);
              const { refreshToken, session } = await create(core);
              /** Refreshes and uses what it gets, several times, as a client does; stops when it is refused. */
              const party = async (): Promise<string | undefined> => {
                let token = refreshToken.token;
                for (let step = 0; step <= 1 + moreSteps; step++) {
                  const response = await refresh(core, token);
                  if (response.status !== 'OK') return undefined;
                  if ((await verify(core, response.accessToken.token)).status !== 'OK') return undefined;
                  token = response.refreshToken.token;
                }
                return token;
              };
              const lines: (string | undefined)[] = [];
              await together(
                async () => lines.push(await party()),
                async () => lines.push(await party()),
              );
              const alive = new Set(lines.filter((token) => token !== undefined));
              expect(alive.size).toBe(1);
              await core.revokeSessions([session.handle]);
            }),
            { numRuns: fcRuns(30) },
          );
        },
        fcTimeoutMs(30),
      );
    });
  });
}
