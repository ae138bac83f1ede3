import { strict as assert } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { CoreClient } from '../../lib/core/core-client.js';
import type { JsonObject } from '../../lib/util/json.js';
import { create, kidOf, refresh, verify } from '../support/core-calls.js';
import type { CoreUnderTest } from './core-under-test.js';

/** Lives of the model's session, in whole seconds as tokens count. */
export const MODEL_ACCESS_VALIDITY_SEC = 60;
export const MODEL_REFRESH_VALIDITY_SEC = 300;

interface KnownAccessToken {
  readonly index: number;
  readonly hasParent: boolean;
  readonly expiryMs: number;
  readonly payload: JsonObject;
}

/** Another session of the same user, which nobody refreshes. */
interface OtherSession {
  readonly expiresAtMs: number;
  isRevoked: boolean;
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
  data: JsonObject = {};
  payload: JsonObject = {};
  readonly accessTokens: KnownAccessToken[];
  readonly others: OtherSession[] = [];

  constructor(
    readonly nowMs: () => number,
    readonly gracePeriodMs: number,
  ) {
    this.expiresAtMs = nowMs() + MODEL_REFRESH_VALIDITY_SEC * 1000;
    this.accessTokens = [
      { index: 0, hasParent: false, expiryMs: nowMs() + MODEL_ACCESS_VALIDITY_SEC * 1000, payload: {} },
    ];
  }

  get isLive(): boolean {
    return !this.isRevoked && this.expiresAtMs >= this.nowMs();
  }

  /** One that can be looked at and written to: in its last millisecond it can be refreshed only. */
  get isKnown(): boolean {
    return !this.isRevoked && this.expiresAtMs > this.nowMs();
  }

  isLiveOther({ isRevoked, expiresAtMs }: OtherSession): boolean {
    return !isRevoked && expiresAtMs >= this.nowMs();
  }

  promote(): void {
    this.current++;
    this.rotatedAtMs = this.nowMs();
    this.expiresAtMs = this.nowMs() + MODEL_REFRESH_VALIDITY_SEC * 1000;
  }

  addAccessToken(index: number, hasParent: boolean): void {
    const expiryMs = this.nowMs() + MODEL_ACCESS_VALIDITY_SEC * 1000;
    this.accessTokens.push({ index, hasParent, expiryMs, payload: this.payload });
  }

  /** The new token expires with the old one; where that has expired there is none. */
  regenerate(token: KnownAccessToken, payload: JsonObject): string {
    if (!this.isKnown) return 'UNAUTHORISED';
    this.payload = payload;
    if (token.expiryMs < this.nowMs()) return 'OK';
    this.accessTokens.push({ ...token, payload });
    return 'OK with a new token';
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
    const isPayloadChanged = checkDatabase && !isDeepStrictEqual(token.payload, this.payload);
    if (token.hasParent && token.index === this.current + 1) this.promote();
    const isCurrent = token.hasParent && token.index === this.current;
    if (!isCurrent && !isPayloadChanged) return 'OK';
    // A changed payload is no refresh: it ends with the session.
    const expiryMs = Math.min(this.nowMs() + MODEL_ACCESS_VALIDITY_SEC * 1000, this.expiresAtMs);
    this.accessTokens.push({ index: token.index, hasParent: false, expiryMs, payload: this.payload });
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
  readonly others: { readonly handle: string; readonly refreshToken: string }[];
}

const USER = { userId: 'user-1', tenantId: undefined, includeLinkedAccounts: true };

/** Handles of the live sessions of the user. */
function liveHandles(model: SessionModel, real: RealSession): string[] {
  const others = real.others.filter((_, place) => {
    const other = model.others[place];
    return other !== undefined && model.isLiveOther(other);
  });
  return [...(model.isLive ? [real.sessionHandle] : []), ...others.map(({ handle }) => handle)].sort();
}

type Command = fc.AsyncCommand<SessionModel, RealSession>;

/** The owner or a thief presents one of the refresh tokens; on theft the caller revokes, as the recipe does. */
class Refresh implements Command {
  constructor(
    private readonly pick: number,
    private readonly useDynamicSigningKey: boolean,
  ) {}
  check = (): boolean => true;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    const index = this.pick % model.known;
    const expected = model.refresh(index);
    const { useDynamicSigningKey } = this;
    const response = await refresh(real.core, real.refreshTokens[index] ?? '', { useDynamicSigningKey });
    if (typeof expected === 'string') {
      assert.equal(response.status, expected);
      if (expected === 'TOKEN_THEFT_DETECTED') await this.endSession(model, real);
      return;
    }
    if (response.status !== 'OK') throw new Error(`token ${index} of ${model.known}: ${response.status}`);
    // S024: whoever asks gets the one successor.
    real.refreshTokens[expected] ??= response.refreshToken.token;
    assert.equal(response.refreshToken.token, real.refreshTokens[expected]);
    real.accessTokens.push(response.accessToken.token);
    assert.match(kidOf(response.accessToken.token), useDynamicSigningKey ? /^d-/ : /^s-/);
    assert.deepEqual(response.session.userDataInJWT, model.payload);
  }

  private async endSession(model: SessionModel, real: RealSession): Promise<void> {
    model.isRevoked = true;
    assert.deepEqual(await real.core.revokeSessions([real.sessionHandle], {}), [real.sessionHandle]);
  }

  toString = (): string => `refresh(${this.pick}${this.useDynamicSigningKey ? '' : ', static key'})`;
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
    const response = await verify(real.core, real.accessTokens[place] ?? '', {
      checkDatabase: this.checkDatabase,
    });
    const replacement = response.status === 'OK' ? response.accessToken : undefined;
    assert.equal(replacement ? `${response.status} with a new token` : response.status, expected);
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

/** A payload stored by handle, or with an access token that is re-issued. */
class WritePayload implements Command {
  constructor(
    private readonly payload: JsonObject,
    private readonly pick: number | undefined,
  ) {}
  check = (): boolean => true;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    if (this.pick !== undefined) return this.regenerate(this.pick % model.accessTokens.length, model, real);
    const isWritten = await real.core.updateAccessTokenPayload(real.sessionHandle, this.payload, {});
    assert.equal(isWritten, model.isKnown);
    if (isWritten) model.payload = this.payload;
  }

  private async regenerate(place: number, model: SessionModel, real: RealSession): Promise<void> {
    const token = model.accessTokens[place];
    if (token === undefined) throw new Error('no token');
    const expected = model.regenerate(token, this.payload);
    const accessToken = real.accessTokens[place] ?? '';
    const response = await real.core.regenerateAccessToken({ accessToken, userDataInJWT: this.payload }, {});
    const replacement = response.status === 'OK' ? response.accessToken : undefined;
    assert.equal(replacement ? `${response.status} with a new token` : response.status, expected);
    if (replacement) real.accessTokens.push(replacement.token);
  }

  toString = (): string =>
    `${this.pick === undefined ? 'write payload' : `regenerate(${this.pick})`} ${JSON.stringify(this.payload)}`;
}

/** Session data, replaced or merged. */
class WriteData implements Command {
  constructor(
    private readonly data: JsonObject,
    private readonly isMerging: boolean,
  ) {}
  check = (): boolean => true;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    const { core, sessionHandle } = real;
    const isWritten = await (this.isMerging
      ? core.mergeSessionData(sessionHandle, this.data, {})
      : core.updateSessionData(sessionHandle, this.data, {}));
    assert.equal(isWritten, model.isKnown);
    if (isWritten) model.data = this.isMerging ? merged(model.data, this.data) : this.data;
  }

  toString = (): string => `${this.isMerging ? 'merge' : 'write'} data ${JSON.stringify(this.data)}`;
}

/** Null removes a name; one that is stored stays. */
function merged(data: JsonObject, update: JsonObject): JsonObject {
  const entries = Object.entries({ ...data, ...update });
  return Object.fromEntries(entries.filter(([name]) => update[name] !== null));
}

class Look implements Command {
  check = (): boolean => true;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    const information = await real.core.getSessionInformation(real.sessionHandle, {});
    assert.equal(information?.expiry, model.isKnown ? model.expiresAtMs : undefined);
    if (information) {
      assert.deepEqual(information.userDataInDatabase, model.data);
      assert.deepEqual(information.userDataInJWT, model.payload);
    }
    const handles = await real.core.getSessionHandlesOfUser(USER, {});
    assert.deepEqual(handles.sort(), liveHandles(model, real));
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

class RevokeUser implements Command {
  check = (): boolean => true;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    const expected = liveHandles(model, real);
    assert.deepEqual((await real.core.revokeSessionsOfUser(USER, {})).sort(), expected);
    if (model.isLive) model.isRevoked = true;
    for (const other of model.others) if (model.isLiveOther(other)) other.isRevoked = true;
  }

  toString = (): string => 'revoke user';
}

/** The user signs in on another device. */
class SignInElsewhere implements Command {
  check = (model: Readonly<SessionModel>): boolean => model.others.length < 2;

  async run(model: SessionModel, real: RealSession): Promise<void> {
    const { session, refreshToken } = await create(real.core);
    model.others.push({
      expiresAtMs: model.nowMs() + MODEL_REFRESH_VALIDITY_SEC * 1000,
      isRevoked: false,
    });
    real.others.push({ handle: session.handle, refreshToken: refreshToken.token });
  }

  toString = (): string => 'sign in elsewhere';
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
  const isDynamic = fc.boolean();
  const json = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(1, 'two', null), {
    maxKeys: 2,
    noNullPrototype: true,
  });
  return fc.commands(
    [
      fc.tuple(pick, isDynamic).map(([n, kind]) => new Refresh(n, kind)),
      fc.tuple(newest, isDynamic).map(([n, kind]) => new Refresh(n, kind)),
      fc.tuple(pick, fc.boolean()).map(([n, checkDatabase]) => new Verify(n, checkDatabase)),
      fc.constantFrom(1, 10, 29, 30, 31, 59, 60, 61, 299, 300, 301).map((seconds) => new Pass(seconds)),
      fc.tuple(json, fc.option(pick, { nil: undefined })).map(([payload, n]) => new WritePayload(payload, n)),
      fc.tuple(json, fc.boolean()).map(([data, isMerging]) => new WriteData(data, isMerging)),
      fc.constant(new Look()),
      fc.constant(new Revoke()),
      fc.constant(new RevokeUser()),
      fc.constant(new SignInElsewhere()),
      fc.constant(new Restart()),
    ],
    { maxCommands },
  );
}

/** S023: of everything that was ever handed out at most one line works, and nothing after a theft. */
export async function assertOneLineAtMost(model: SessionModel, real: RealSession): Promise<void> {
  const successors = new Set<string>();
  for (const token of real.refreshTokens.toReversed()) {
    const response = await refresh(real.core, token);
    if (response.status === 'OK') successors.add(response.refreshToken.token);
  }
  // Inside a grace period two places of the one line can be refreshed.
  const most = model.gracePeriodMs > 0 ? 2 : 1;
  assert.ok(successors.size <= (model.isLive ? most : 0), `${successors.size} successors`);
}

/** S046: what became of one session changes nothing in another. */
export async function assertOthersUntouched(model: SessionModel, real: RealSession): Promise<void> {
  for (const [place, { refreshToken }] of real.others.entries()) {
    const other = model.others[place];
    const isLive = other !== undefined && model.isLiveOther(other);
    assert.equal((await refresh(real.core, refreshToken)).status, isLive ? 'OK' : 'UNAUTHORISED');
  }
}
