import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { embeddedCore, postgresStore, sqliteStore } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { loadDriver } from '../../../lib/stores/sqlite.store.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { startPostgres } from '../../support/postgres.js';
import { TestApplication } from '../../support/test-application.js';

const RELEASES_FOLDER = fileURLToPath(new URL('../../fixtures/releases/', import.meta.url));
/** All that record-release.mjs has recorded so far; a new release is in the tests as soon as its folder is there. */
const RELEASES = readdirSync(RELEASES_FOLDER);

interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly antiCsrfToken: string;
}

interface RecordedSession extends Tokens {
  readonly userId: string;
  readonly sessionHandle: string;
  /** Of a session that was refreshed once. */
  readonly successor?: Tokens;
}

interface Release {
  readonly recordedAtMs: number;
  readonly sessions: Readonly<
    Record<'new' | 'refreshed' | 'used' | 'changed' | 'ofTenant' | 'revoked' | 'staticKey', RecordedSession>
  >;
}

const read = (release: string, file: string): string =>
  readFileSync(`${RELEASES_FOLDER}${release}/${file}`, 'utf8');
const recorded = (release: string): Release => JSON.parse(read(release, 'sessions.json')) as Release;

/** This version, on the database of an earlier one, a second after that had stopped. */
async function upgraded(
  release: string,
  store: SessionStore,
  test: (application: TestApplication, sessions: Release['sessions']) => Promise<void>,
): Promise<void> {
  const { recordedAtMs, sessions } = recorded(release);
  const application = await TestApplication.on('express')
    .with({ core: embeddedCore({ store, accessTokenValidityJitter: 0 }), antiCsrf: 'VIA_TOKEN' })
    .clock(new TestClock(recordedAtMs + 1000))
    .start();
  try {
    await test(application, sessions);
  } finally {
    await application.close();
  }
}

function toVerify({ accessToken, antiCsrfToken }: Tokens) {
  return { accessToken, antiCsrfToken };
}

function toRefresh({ refreshToken, antiCsrfToken }: Tokens) {
  return { refreshToken, antiCsrfToken };
}

function describeUpgrade(engine: string, openStore: (release: string) => Promise<SessionStore>): void {
  describe(`a database of an earlier release, on ${engine}`, () => {
    it.each(RELEASES)('every session of %s lives on in this version (S120)', async (release) => {
      await upgraded(release, await openStore(release), async ({ sessions }, recordedSessions) => {
        const { revoked, staticKey, used, ...others } = recordedSessions;
        const inUse = { ...others, used: { ...used, ...used.successor } };
        for (const [name, { userId, sessionHandle, ...tokens }] of Object.entries(inUse)) {
          const session = await sessions.getSessionWithoutRequestResponse({
            ...toVerify(tokens),
            checkDatabase: true,
          });
          expect([name, session.getHandle(), session.getUserId()]).toEqual([name, sessionHandle, userId]);
        }
        // The kind of key is a matter of configuration: with the other kind a session refreshes first.
        for (const [name, { sessionHandle, ...tokens }] of Object.entries({ ...inUse, staticKey })) {
          const next = await sessions.refreshSessionWithoutRequestResponse(toRefresh(tokens));
          const { accessToken, antiCsrfToken = '' } = next.getAllSessionTokensDangerously();
          const session = await sessions.getSessionWithoutRequestResponse({ accessToken, antiCsrfToken });
          expect([name, session.getHandle()]).toEqual([name, sessionHandle]);
        }
        await expect(
          sessions.getSessionWithoutRequestResponse({ ...toVerify(revoked), checkDatabase: true }),
        ).rejects.toMatchObject({ type: 'UNAUTHORISED' });
        await expect(sessions.refreshSessionWithoutRequestResponse(toRefresh(revoked))).rejects.toMatchObject(
          {
            type: 'UNAUTHORISED',
          },
        );
      });
    });

    it.each(RELEASES)('a refresh that %s had done returns the same token (S120)', async (release) => {
      await upgraded(release, await openStore(release), async ({ sessions }, { refreshed }) => {
        const again = await sessions.refreshSessionWithoutRequestResponse(toRefresh(refreshed));
        const { refreshToken, antiCsrfToken } = again.getAllSessionTokensDangerously();
        expect({ refreshToken, antiCsrfToken }).toEqual({
          refreshToken: refreshed.successor?.refreshToken,
          antiCsrfToken: refreshed.successor?.antiCsrfToken,
        });
      });
    });

    it.each(RELEASES)(
      'a refresh token that was retired under %s is still a stolen one (S120)',
      async (release) => {
        await upgraded(release, await openStore(release), async ({ sessions }, { used }) => {
          await expect(sessions.refreshSessionWithoutRequestResponse(toRefresh(used))).rejects.toMatchObject({
            type: 'TOKEN_THEFT_DETECTED',
            sessionHandle: used.sessionHandle,
          });
        });
      },
    );

    it.each(RELEASES)('data, payloads, lists and keys of %s are all there (S120)', async (release) => {
      await upgraded(release, await openStore(release), async (application, session) => {
        const { sessions } = application;
        expect(await sessions.getSessionInformation(session.new.sessionHandle)).toMatchObject({
          userId: 'ada',
          tenantId: 'public',
          sessionDataInDatabase: { basket: ["it's", 1, null] },
          customClaimsInAccessTokenPayload: { plan: 'pro' },
        });
        expect(await sessions.getSessionInformation(session.changed.sessionHandle)).toMatchObject({
          userId: session.changed.userId,
          sessionDataInDatabase: { basket: [] },
          customClaimsInAccessTokenPayload: { plan: 'free', added: true },
        });
        const handles = [session.new, session.ofTenant, session.staticKey].map(
          ({ sessionHandle }) => sessionHandle,
        );
        expect((await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toSorted()).toEqual(
          handles.toSorted(),
        );
        const published = (await application.send({ path: '/auth/jwt/jwks.json' })).body as {
          keys: { kid: string }[];
        };
        for (const { accessToken } of [session.new, session.staticKey]) {
          const { kid } = JSON.parse(
            Buffer.from(accessToken.split('.')[0] ?? '', 'base64url').toString(),
          ) as {
            kid: string;
          };
          expect(published.keys.map((key) => key.kid)).toContain(kid);
        }
      });
    });
  });
}

const Database = await loadDriver();
describeUpgrade('SQLite', async (release) => {
  const database = new Database(':memory:');
  database.exec(read(release, 'schema.sqlite.sql') + read(release, 'rows.sql'));
  return sqliteStore(database);
});

const postgres = await startPostgres();
afterAll(() => postgres.stop());
postgres.describe('with a server', () => {
  describeUpgrade('PostgreSQL', async (release) => {
    const connectionString = await postgres.freshDatabase();
    // A script makes its tables in public, or in a schema of its own that it names.
    const path = '-c search_path=nest_sessions,public';
    const past = postgres.pool({ connectionString, options: path, max: 1 });
    await past.query(read(release, 'schema.postgres.sql') + read(release, 'rows.sql'));
    const pool = postgres.pool({ connectionString });
    return postgresStore(pool);
  });
});
