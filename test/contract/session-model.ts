import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { CoreClient } from '../../lib/core/core-client.js';
import { refresh, verify } from '../support/core-calls.js';
import type { CoreUnderTest } from './core-under-test.js';

/** Lives of the model's session, in whole seconds as tokens count. */
export const MODEL_ACCESS_VALIDITY_SEC = 60;
export const MODEL_REFRESH_VALIDITY_SEC = 300;

interface KnownAccessToken {
  readonly index: number;
  readonly hasParent: boolean;
  readonly expiryMs: number;
}

/**
 * A session as the rules describe it: refresh tokens form one line, because a token has one successor. `current` is
 * the place of the one that the store knows.
 */
export class SessionModel {
  current = 0;
  known = 1;
  rotatedAtMs = Number.NEGATIVE_INFINITY;
  isRevoked = false;
  expiresAtMs: number;
  readonly accessTokens: KnownAccessToken[];

  constructor(
    readonly nowMs: () => number,
    readonly gracePeriodMs: number,
  ) {
    this.expiresAtMs = nowMs() + MODEL_REFRESH_VALIDITY_SEC * 1000;
    this.accessTokens = [
      { index: 0, hasParent: false, expiryMs: nowMs() + MODEL_ACCESS_VALIDITY_SEC * 1000 },
    ];
  }

  get isLive(): boolean {
    return !this.isRevoked && this.expiresAtMs >= this.nowMs();
  }

  promote(): void {
    this.current++;
    this.rotatedAtMs = this.nowMs();
    this.expiresAtMs = this.nowMs() + MODEL_REFRESH_VALIDITY_SEC * 1000;
  }

  addAccessToken(index: number, hasParent: boolean): void {
    this.accessTokens.push({ index, hasParent, expiryMs: this.nowMs() + MODEL_ACCESS_VALIDITY_SEC * 1000 });
  }

  /** Place of the successor that a refresh of this token must give, or why there is none. */
  refresh(index: number): number | 'UNAUTHORISED' | 'TOKEN_THEFT_DETECTED' {
    if (!this.isLive) return 'UNAUTHORISED';
    if (index === this.current + 1) this.promote();
    const isRepeat = index === this.current - 1 && this.nowMs() <= this.rotatedAtMs + this.gracePeriodMs;
    if (index !== this.current && !(isRepeat && this.gracePeriodMs > 0)) return 'TOKEN_THEFT_DETECTED';
    this.known = Math.max(this.known, index + 2);
    this.addAccessToken(index + 1, true);
    return index + 1;
  }

  verify(token: KnownAccessToken, checkDatabase: boolean): string {
    if (token.expiryMs < this.nowMs()) return 'TRY_REFRESH_TOKEN';
    if (!token.hasParent && !checkDatabase) return 'OK';
    if (!this.isLive) return 'UNAUTHORISED';
    if (!token.hasParent) return 'OK';
    if (token.index === this.current + 1) this.promote();
    if (token.index !== this.current) return 'OK';
    this.addAccessToken(token.index, false);
    return 'OK with a new token';
  }
}

/** The session in the core, with all that its holder and a thief who sees everything got of it. */
export interface RealSession {
  core: CoreClient;
  readonly underTest: CoreUnderTest;
  readonly sessionHandle: string;
  readonly refreshTokens: string[];
  readonly accessTokens: string[];
}

type Command = fc.AsyncCommand<SessionModel, RealSession>;

/** Whoever it is presents one of the refresh tokens; on theft the caller revokes, as the recipe does. */
class Refresh implements Command {
  constructor(private readonly pick: number) {}
  check = (): boolean => true;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    const index = this.pick % model.known;
    const expected = model.refresh(index);
    const answer = await refresh(real.core, real.refreshTokens[index] ?? '');
    if (typeof expected === 'string') {
      assert.equal(answer.status, expected);
      if (expected === 'TOKEN_THEFT_DETECTED') await this.endSession(model, real);
      return;
    }
    if (answer.status !== 'OK') throw new Error(`token ${index} of ${model.known}: ${answer.status}`);
    // S024: whoever asks gets the one successor.
    real.refreshTokens[expected] ??= answer.refreshToken.token;
    assert.equal(answer.refreshToken.token, real.refreshTokens[expected]);
    real.accessTokens.push(answer.accessToken.token);
  }

  private async endSession(model: SessionModel, real: RealSession): Promise<void> {
    model.isRevoked = true;
    assert.deepEqual(await real.core.revokeSessions([real.sessionHandle], {}), [real.sessionHandle]);
  }

  toString = (): string => `refresh(${this.pick})`;
}

class Verify implements Command {
  constructor(
    private readonly pick: number,
    private readonly checkDatabase: boolean,
  ) {}
  check = (): boolean => true;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    const place = this.pick % model.accessTokens.length;
    const token = model.accessTokens[place];
    if (token === undefined) throw new Error('no token');
    const expected = model.verify(token, this.checkDatabase);
    const answer = await verify(real.core, real.accessTokens[place] ?? '', {
      checkDatabase: this.checkDatabase,
    });
    const replacement = answer.status === 'OK' ? answer.accessToken : undefined;
    assert.equal(replacement ? `${answer.status} with a new token` : answer.status, expected);
    if (replacement) real.accessTokens.push(replacement.token);
  }

  toString = (): string => `verify(${this.pick}${this.checkDatabase ? ', database' : ''})`;
}

class Pass implements Command {
  constructor(private readonly seconds: number) {}
  check = (): boolean => true;

  async run(_: SessionModel, real: RealSession): Promise<void> {
    real.underTest.clock.advanceSeconds(this.seconds);
  }

  toString = (): string => `pass(${this.seconds} s)`;
}

class Look implements Command {
  check = (): boolean => true;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    const isKnown = !model.isRevoked && model.expiresAtMs > model.nowMs();
    const information = await real.core.getSessionInformation(real.sessionHandle, {});
    assert.equal(information?.expiry, isKnown ? model.expiresAtMs : undefined);
  }

  toString = (): string => 'look';
}

class Revoke implements Command {
  check = (model: Readonly<SessionModel>): boolean => !model.isRevoked;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    model.isRevoked = true;
    assert.deepEqual(await real.core.revokeSessions([real.sessionHandle], {}), [real.sessionHandle]);
  }

  toString = (): string => 'revoke';
}

class Restart implements Command {
  check = (): boolean => true;

  async run(_: SessionModel, real: RealSession): Promise<void> {
    real.core = await real.underTest.another();
  }

  toString = (): string => 'restart';
}

/** Any order of what a holder, a thief and time may do to one session. */
export function sessionCommands(maxCommands: number): fc.Arbitrary<Iterable<Command>> {
  const pick = fc.nat({ max: 40 });
  const newest = fc.constantFrom(39, 40);
  return fc.commands(
    [
      pick.map((n) => new Refresh(n)),
      newest.map((n) => new Refresh(n)),
      fc.tuple(pick, fc.boolean()).map(([n, checkDatabase]) => new Verify(n, checkDatabase)),
      fc.constantFrom(1, 10, 29, 30, 31, 59, 60, 61, 299, 300, 301).map((seconds) => new Pass(seconds)),
      fc.constant(new Look()),
      fc.constant(new Revoke()),
      fc.constant(new Restart()),
    ],
    { maxCommands },
  );
}

/** S023: of everything that was ever handed out at most one line works, and nothing after a theft. */
export async function assertOneLineAtMost(model: SessionModel, real: RealSession): Promise<void> {
  const successors = new Set<string>();
  for (const token of real.refreshTokens.toReversed()) {
    const answer = await refresh(real.core, token);
    if (answer.status === 'OK') successors.add(answer.refreshToken.token);
  }
  // Inside a grace period two places of the one line can be refreshed.
  const most = model.gracePeriodMs > 0 ? 2 : 1;
  assert.ok(successors.size <= (model.isLive ? most : 0), `${successors.size} successors`);
}
