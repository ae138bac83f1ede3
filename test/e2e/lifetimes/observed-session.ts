import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { SessionError, type SessionContainer } from 'nest-sessions';
import { type StandaloneApplication } from '../../support/test-application.js';
import { TEST_START_MS } from '../../support/embedded.js';

export const ABSOLUTE_SEC = 3600;
export const IDLE_SEC = 900;
const END_MS = TEST_START_MS + ABSOLUTE_SEC * 1000;

/** The moves of a client and its server, in any order. `token` picks one of the access tokens that the client ever had. */
export type Move =
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'refresh' | 'step up' | 'change payload' | 'change payload by handle' }
  | { readonly do: 'verify'; readonly token: number; readonly checkDatabase: boolean };

export const moves = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 300 }) }),
    fc.record({
      do: fc.constantFrom(
        'refresh' as const,
        'refresh' as const,
        'step up' as const,
        'change payload' as const,
        'change payload by handle' as const,
      ),
    }),
    fc.record({ do: fc.constant('verify' as const), token: fc.nat(), checkDatabase: fc.boolean() }),
  ),
  { minLength: 30, maxLength: 90, size: 'max' },
);

interface KnownToken {
  readonly token: string;
  readonly provedAtSec: number;
}

/** One session and what is true of it at any time. */
export class ObservedSession {
  private readonly tokens: KnownToken[] = [];
  private refreshToken = '';
  private lastProofSec = TEST_START_MS / 1000;
  private usedAtMs = TEST_START_MS;
  private changes = 0;

  private constructor(
    private readonly application: StandaloneApplication,
    private readonly handle: string,
  ) {}

  static async begin(application: StandaloneApplication): Promise<ObservedSession> {
    const session = await application.sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const observed = new ObservedSession(application, session.getHandle());
    observed.keep(session);
    return observed;
  }

  async make(move: Move): Promise<void> {
    const { clock, sessions } = this.application;
    switch (move.do) {
      case 'wait':
        clock.advanceSeconds(move.seconds);
        return;
      case 'refresh':
        return this.expectToWork(async () => {
          this.keep(await sessions.refreshSessionWithoutRequestResponse({ refreshToken: this.refreshToken }));
          return this.verifyNewest(); // as clients do: it makes the new refresh token the current one
        });
      case 'step up':
        return this.expectToWork(async () => {
          const session = await this.verifyNewest();
          const lastProofSec = Math.floor(clock.now() / 1000);
          await session.recordAuthentication();
          this.lastProofSec = lastProofSec;
          this.keep(session);
        });
      case 'change payload':
        return this.expectToWork(async () => {
          const session = await this.verifyNewest();
          await session.mergeIntoAccessTokenPayload({ changes: ++this.changes });
          this.keep(session);
        });
      case 'change payload by handle':
        await sessions.mergeIntoAccessTokenPayload(this.handle, { byHandle: ++this.changes });
        return;
      case 'verify': {
        const picked = this.tokens[move.token % this.tokens.length];
        if (picked === undefined) return;
        return this.expectToWork(async () => {
          const { checkDatabase } = move;
          const session = await sessions.getSessionWithoutRequestResponse({
            accessToken: picked.token,
            checkDatabase,
          });
          assert.ok(
            Number(session.getAccessTokenPayload()['auth_time']) <= picked.provedAtSec,
            'an old token is fresh',
          );
        });
      }
    }
  }

  /** Checks what must hold after every move. */
  async check(): Promise<void> {
    const { clock, sessions } = this.application;
    const information = await sessions.getSessionInformation(this.handle);
    if (information === undefined) return;
    assert.ok(clock.now() < END_MS, 'it lives on after its end');
    assert.ok(
      information.expiry <= Math.min(END_MS, this.usedAtMs + IDLE_SEC * 1000),
      'it may live too long',
    );
    const { session_expiry, session_idle, auth_time } = information.customClaimsInAccessTokenPayload;
    assert.deepEqual([session_expiry, session_idle, auth_time], [END_MS / 1000, IDLE_SEC, this.lastProofSec]);
  }

  /** Only before the end; then it may still be refused, because the session idled or the token is an old one. */
  private async expectToWork(work: () => Promise<unknown>): Promise<void> {
    const { clock } = this.application;
    const didWork = await work().then(
      () => true,
      (error: unknown) => {
        if (!SessionError.isSessionError(error) || error.type === 'TOKEN_THEFT_DETECTED') throw error;
        return false;
      },
    );
    assert.ok(!didWork || clock.now() < END_MS, 'it can be used after its end');
  }

  private async verifyNewest(): Promise<SessionContainer> {
    const accessToken = this.tokens.at(-1)?.token;
    const session = await this.application.sessions.getSessionWithoutRequestResponse({ accessToken });
    this.keep(session);
    return session;
  }

  private keep(session: SessionContainer): void {
    const { accessToken, refreshToken } = session.getAllSessionTokensDangerously();
    const { exp, auth_time: provedAtSec } = session.getAccessTokenPayload();
    assert.ok(Number(exp) <= END_MS / 1000, 'its access token outlives it');
    assert.equal(provedAtSec, this.lastProofSec);
    this.usedAtMs = this.application.clock.now();
    if (refreshToken !== undefined) this.refreshToken = refreshToken;
    if (this.tokens.at(-1)?.token !== accessToken) {
      this.tokens.push({ token: accessToken, provedAtSec });
    }
  }
}
