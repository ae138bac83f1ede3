import { describe, expect, it } from '@jest/globals';
import { create, decoded, refresh, refreshed, replacementOf, verify } from '../../support/core-calls.js';
import { makeEmbeddedCore, type TestCore } from '../../support/embedded.js';
import type { RefreshSessionResult, VerifySessionResult } from '../../../lib/core/core.types.js';
import type { EmbeddedCoreOptions } from '../../../lib/core/embedded/embedded-core-config.js';
import {
  decideRefresh,
  decideVerify,
  type RefreshDecision,
  type RotationState,
  type VerifyDecision,
} from '../../../lib/core/embedded/refresh-rotation.js';
import { refreshTokenHash1, refreshTokenHash2, RefreshTokens } from '../../../lib/tokens/refresh-token.js';
import { jwt, V5_HEADER } from '../../fixtures/made-tokens.js';
import type { SessionRow } from '../../../lib/stores/session-store.js';

type Current = 'X' | 'Y' | 'G' | 'none';

/** X has the children Y and Z (which a SuperTokens Core on the same tables has made), Y has the child G. A_… is issued together with …, A_y' replaces A_y. */
class Line {
  readonly refreshTokens = new Map<string, string>();
  readonly accessTokens = new Map<string, string>();
  sessionHandle = '';

  private constructor(readonly engine: TestCore) {}

  static async startingAt(current: Current, options: EmbeddedCoreOptions = {}): Promise<Line> {
    const line = new Line(await makeEmbeddedCore(options));
    await line.begin();
    if (current === 'Y' || current === 'G') await line.use('Y');
    if (current === 'G') await line.use('G');
    if (current === 'none') await line.engine.core.revokeSessions([line.sessionHandle]);
    line.engine.clock.advanceSeconds(1);
    return line;
  }

  /** Carries out `refresh Y`, `verify A_x` and the like. */
  async run(event: string): Promise<RefreshSessionResult | VerifySessionResult | string[]> {
    const [verb, name = ''] = event.split(' ');
    const { core } = this.engine;
    if (verb === 'refresh') return refresh(core, this.refreshTokens.get(name) ?? '');
    if (verb === 'verify') return verify(core, this.accessTokens.get(name) ?? '');
    if (verb === 'check') return verify(core, this.accessTokens.get(name) ?? '', { checkDatabase: true });
    return core.revokeSessions([this.sessionHandle]);
  }

  /** A response in the words of the table. */
  describe(response: RefreshSessionResult | VerifySessionResult | string[]): string {
    if (Array.isArray(response))
      return response.includes(this.sessionHandle) ? 'handle listed' : 'not listed';
    if (response.status !== 'OK') return response.status;
    if ('refreshToken' in response)
      return `OK, child ${this.nameOf(refreshTokenHash2(response.refreshToken.token))}`;
    return response.accessToken ? 'OK, replacement' : 'OK';
  }

  async row(): Promise<SessionRow | undefined> {
    return this.engine.store.findSession({ tenantId: 'public', sessionHandle: this.sessionHandle });
  }

  async current(): Promise<string> {
    const row = await this.row();
    return row === undefined ? 'none' : this.nameOf(row.refreshTokenHash2);
  }

  private async begin(): Promise<void> {
    const { core } = this.engine;
    const x = await create(core);
    this.sessionHandle = x.session.handle;
    this.keep('X', x);
    this.keep('Y', await refreshed(core, x.refreshToken.token));
    await this.makeOtherChild();
  }

  /** A Core makes another child at each refresh. */
  private async makeOtherChild(): Promise<void> {
    const sealer = new RefreshTokens(await this.engine.store.getOrSetRefreshTokenKey(''));
    const y = await sealer.open(this.refreshTokens.get('Y') ?? '');
    if (y === undefined) throw new Error('Y cannot be opened');
    const z = await sealer.issue(y);
    const { payload } = decoded(this.accessTokens.get('A_y') ?? '');
    this.refreshTokens.set('Z', z);
    this.accessTokens.set('A_z', jwt(V5_HEADER, { ...payload, refreshTokenHash1: refreshTokenHash1(z) }));
  }

  private async use(name: 'Y' | 'G'): Promise<void> {
    const { core } = this.engine;
    if (name === 'G') this.keep('G', await refreshed(core, this.refreshTokens.get('Y') ?? ''));
    const first = this.accessTokens.get(`A_${name.toLowerCase()}`) ?? '';
    this.accessTokens.set(`A_${name.toLowerCase()}'`, await replacementOf(core, first));
  }

  private keep(
    name: string,
    tokens: { refreshToken: { token: string }; accessToken: { token: string } },
  ): void {
    this.refreshTokens.set(name, tokens.refreshToken.token);
    this.accessTokens.set(`A_${name.toLowerCase()}`, tokens.accessToken.token);
  }

  private nameOf(hash2: string): string {
    const known = [...this.refreshTokens].find(([, token]) => refreshTokenHash2(token) === hash2);
    return known?.[0] ?? 'new';
  }
}

const ROTATION = ['refreshTokenHash2', 'expiresAtMs', 'prevRefreshTokenHash2', 'rotatedAtMs'];

function changedFields(before: SessionRow | undefined, after: SessionRow | undefined): string[] {
  if (before === undefined || after === undefined) return before === after ? [] : ['all'];
  return (Object.keys(before) as (keyof SessionRow)[]).filter((name) => before[name] !== after[name]);
}

describe('the life of a refresh token', () => {
  it.each<
    [current: Current, event: string, response: string, next: string, written: string[], numbers: string]
  >([
    ['X', 'refresh X', 'OK, child Y', 'X', [], 'C61'],
    ['X', 'verify A_x', 'OK', 'X', [], 'C1'],
    ['X', 'verify A_y', 'OK, replacement', 'Y', ROTATION, 'C43 C62'],
    ['X', 'refresh Y', 'OK, child new', 'Y', ROTATION, 'C68'],
    ['Y', 'verify A_y', 'OK, replacement', 'Y', [], 'C45'],
    ['Y', "verify A_y'", 'OK', 'Y', [], 'C44'],
    ['Y', 'verify A_x', 'OK', 'Y', [], ''],
    ['Y', 'verify A_z', 'OK', 'Y', [], 'C67'],
    ['Y', 'refresh Y', 'OK, child new', 'Y', [], 'C69'],
    ['Y', 'refresh X', 'TOKEN_THEFT_DETECTED', 'Y', [], 'C63 S023'],
    ['Y', 'refresh Z', 'TOKEN_THEFT_DETECTED', 'Y', [], 'C66 S023'],
    ['G', 'refresh X', 'TOKEN_THEFT_DETECTED', 'G', [], 'C64 S023'],
    ['G', 'refresh Y', 'TOKEN_THEFT_DETECTED', 'G', [], 'S023'],
    ['G', 'refresh Z', 'TOKEN_THEFT_DETECTED', 'G', [], 'S023'],
    ['G', 'verify A_y', 'OK', 'G', [], 'C46'],
    ['G', "verify A_y'", 'OK', 'G', [], ''],
    ['X', 'remove', 'handle listed', 'none', ['all'], ''],
    ['Y', 'remove', 'handle listed', 'none', ['all'], ''],
    ['none', 'refresh X', 'UNAUTHORISED', 'none', [], 'C76'],
    ['none', 'refresh Y', 'UNAUTHORISED', 'none', [], 'C76'],
    ['none', 'refresh Z', 'UNAUTHORISED', 'none', [], 'C76'],
    ['none', 'verify A_x', 'OK', 'none', [], 'C36'],
    ['none', 'verify A_y', 'UNAUTHORISED', 'none', [], ''],
    ['none', 'check A_x', 'UNAUTHORISED', 'none', [], 'C37'],
  ])(
    '%s is current, %s: %s, then %s is current, written %j (%s)',
    async (current, event, response, next, written) => {
      const line = await Line.startingAt(current);
      const before = await line.row();

      expect(line.describe(await line.run(event))).toBe(response);

      const after = await line.row();
      expect(changedFields(before, after)).toEqual(written);
      expect(await line.current()).toBe(next);
      const now = line.engine.clock.now();
      const rotation = {
        prevRefreshTokenHash2: before?.refreshTokenHash2,
        rotatedAtMs: now,
        expiresAtMs: now + 8_640_000_000,
      };
      expect(after ?? {}).toMatchObject(written === ROTATION ? rotation : {});
    },
  );

  it('gives the same child however often and however late a token is refreshed before the child is used (S024)', async () => {
    const line = await Line.startingAt('X');
    for (let day = 0; day < 99; day += 9) {
      expect(line.describe(await line.run('refresh X'))).toBe('OK, child Y');
      line.engine.clock.advanceSeconds(9 * 86_400);
    }
    expect(await line.current()).toBe('X');
  });

  it('still refreshes the current token after a theft was reported and before the session is removed (C70)', async () => {
    const line = await Line.startingAt('Y');
    const response = await line.run('refresh X');
    expect(response).toEqual({
      status: 'TOKEN_THEFT_DETECTED',
      session: { handle: line.sessionHandle, userId: 'user-1', recipeUserId: 'user-1' },
    });
    expect(line.describe(await line.run('refresh Y'))).toBe('OK, child new');
  });

  it('gives a replacement of the same lineage, without parent and with a full new life', async () => {
    const line = await Line.startingAt('X');
    const before = decoded(line.accessTokens.get('A_y') ?? '').payload;
    const response = await line.run('verify A_y');
    if (Array.isArray(response) || response.status !== 'OK') throw new Error('refused');
    const now = line.engine.clock.now();
    expect(response.accessToken).toMatchObject({ createdTime: now, expiry: now + 3_600_000 });
    expect(decoded(response.accessToken?.token ?? '').payload).toEqual({
      ...before,
      parentRefreshTokenHash1: null,
      iat: now / 1000,
      exp: now / 1000 + 3600,
    });
  });

  it('reports a promotion once', async () => {
    const line = await Line.startingAt('X');
    await line.run('verify A_y');
    await line.run('verify A_y');
    await line.run('refresh Y');
    expect(line.engine.events).toEqual([
      {
        type: 'session.promoted',
        timeMs: line.engine.clock.now(),
        sessionHandle: line.sessionHandle,
        userId: 'user-1',
        recipeUserId: 'user-1',
        tenantId: 'public',
      },
    ]);
  });
});

describe('two calls for one session at the same time', () => {
  it.each<[start: Current, one: string, other: string, responses: [string, string], current: string]>([
    ['X', 'refresh X', 'refresh X', ['OK, child Y', 'OK, child Y'], 'X'],
    ['X', 'refresh Y', 'refresh Y', ['OK, child new', 'OK, child new'], 'Y'],
    ['X', 'refresh Y', 'verify A_y', ['OK, child new', 'OK, replacement'], 'Y'],
    ['X', 'verify A_y', 'verify A_y', ['OK, replacement', 'OK, replacement'], 'Y'],
  ])('%s is current, %s and %s: %j, then %s is current', async (start, one, other, responses, current) => {
    const line = await Line.startingAt(start);
    const both = await Promise.all([line.run(one), line.run(other)]);
    expect(both.map((response) => line.describe(response))).toEqual(responses);
    expect(await line.current()).toBe(current);
    expect(line.engine.events.length).toBe(current === 'X' ? 0 : 1);
  });

  it.each<[start: Current, first: string, second: string, responses: [string, string], current: string]>([
    ['X', 'refresh X', 'verify A_y', ['OK, child Y', 'OK, replacement'], 'Y'],
    ['X', 'verify A_y', 'refresh X', ['OK, replacement', 'TOKEN_THEFT_DETECTED'], 'Y'],
    ['X', 'refresh Y', 'verify A_y', ['OK, child new', 'OK, replacement'], 'Y'],
    ['X', 'verify A_y', 'refresh Y', ['OK, replacement', 'OK, child new'], 'Y'],
    ['X', 'refresh X', 'remove', ['OK, child Y', 'handle listed'], 'none'],
    ['X', 'remove', 'refresh X', ['handle listed', 'UNAUTHORISED'], 'none'],
    ['X', 'remove', 'remove', ['handle listed', 'not listed'], 'none'],
  ])(
    '%s is current, first %s, then %s: %j, then %s is current',
    async (start, first, second, responses, current) => {
      const line = await Line.startingAt(start);
      const one = line.describe(await line.run(first));
      expect([one, line.describe(await line.run(second))]).toEqual(responses);
      expect(await line.current()).toBe(current);
    },
  );

  it('gives tokens of a dead session when the session is removed right after the refresh', async () => {
    const line = await Line.startingAt('X');
    const pair = await refreshed(line.engine.core, line.refreshTokens.get('X') ?? '');
    await line.run('remove');
    expect(await refresh(line.engine.core, pair.refreshToken.token)).toMatchObject({
      status: 'UNAUTHORISED',
    });
    expect(await verify(line.engine.core, pair.accessToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
  });

  it('lets two regenerations and a refresh all succeed; the payload written last stays, as a whole', async () => {
    const line = await Line.startingAt('X');
    const { core } = line.engine;
    const accessToken = line.accessTokens.get('A_x') ?? '';
    const responses = await Promise.all([
      core.regenerateAccessToken({ accessToken, userDataInJWT: { n: 1 } }),
      line.run('refresh X'),
      core.regenerateAccessToken({ accessToken, userDataInJWT: { m: 2 } }),
    ]);
    expect(responses).toMatchObject([{ status: 'OK' }, { status: 'OK' }, { status: 'OK' }]);
    const { userDataInJWT } = (await core.getSessionInformation(line.sessionHandle)) ?? {};
    // Whichever is written last: on a busy machine their signatures are checked in either order.
    expect([{ n: 1 }, { m: 2 }]).toContainEqual(userDataInJWT);
  });

  it('lets the last of two writes win, as a whole object', async () => {
    const line = await Line.startingAt('X');
    const { core } = line.engine;
    await Promise.all([
      core.updateSessionData(line.sessionHandle, { a: 1 }),
      core.updateSessionData(line.sessionHandle, { b: 2 }),
    ]);
    expect((await core.getSessionInformation(line.sessionHandle))?.userDataInDatabase).toEqual({ b: 2 });
  });

  it.each([
    ['before', 'OK, child new', 'Y'],
    ['after', 'UNAUTHORISED', 'none'],
  ])(
    'a promotion in the last millisecond of a session, %s the cleaning: %s, then %s is current',
    async (order, response, current) => {
      const line = await Line.startingAt('X');
      line.engine.clock.set((await line.row())?.expiresAtMs ?? 0);
      if (order === 'after') await line.engine.core.sweepExpired();
      expect(line.describe(await line.run('refresh Y'))).toBe(response);
      await line.engine.core.sweepExpired();
      expect(await line.current()).toBe(current);
    },
  );
});

describe('the grace period of a retired refresh token', () => {
  const GRACE = { refreshTokenRotationGracePeriodSec: 30 };

  it('is closed by default: a retired token is a theft in the very same millisecond (S025)', async () => {
    const line = await Line.startingAt('X');
    await line.run('verify A_y');
    expect(line.describe(await line.run('refresh X'))).toBe('TOKEN_THEFT_DETECTED');
  });

  it.each<[ms: number, response: string]>([
    [0, 'OK, child Y'],
    [1, 'OK, child Y'],
    [29_999, 'OK, child Y'],
    [30_000, 'OK, child Y'],
    [30_001, 'TOKEN_THEFT_DETECTED'],
  ])('of 30 s, %d ms after the promotion: %s (S024 S025)', async (ms, response) => {
    const line = await Line.startingAt('X', GRACE);
    await line.run('verify A_y');
    line.engine.clock.advance(ms);
    expect(line.describe(await line.run('refresh X'))).toBe(response);
  });

  it('gives tokens that work, and that retire nothing (S024)', async () => {
    const line = await Line.startingAt('Y', GRACE);
    const repeat = await refreshed(line.engine.core, line.refreshTokens.get('X') ?? '');
    expect(repeat.refreshToken.token).toBe(line.refreshTokens.get('Y'));
    expect(await verify(line.engine.core, repeat.accessToken.token)).toMatchObject({ status: 'OK' });
    expect(await line.current()).toBe('Y');
    expect(line.describe(await line.run('refresh Y'))).toBe('OK, child new');
  });

  it('writes nothing: neither the expiry nor the time of the rotation moves (S025)', async () => {
    const line = await Line.startingAt('Y', GRACE);
    const before = await line.row();
    line.engine.clock.advanceSeconds(10);
    await line.run('refresh X');
    expect(await line.row()).toEqual(before);
  });

  it('gives the same anti-CSRF token again (S024)', async () => {
    const { core } = await makeEmbeddedCore(GRACE);
    const x = await create(core, { enableAntiCsrf: true });
    const presented = { enableAntiCsrf: true, antiCsrfToken: x.antiCsrfToken };
    const y = await refreshed(core, x.refreshToken.token, presented);
    await verify(core, y.accessToken.token);
    const again = await refreshed(core, x.refreshToken.token, presented);
    expect(again.antiCsrfToken).toBe(y.antiCsrfToken);
    expect(again.refreshToken.token).toBe(y.refreshToken.token);
  });

  it.each(['X', 'Z'])(
    'covers one generation only: %s after two rotations is a theft (S025)',
    async (name) => {
      const line = await Line.startingAt('G', GRACE);
      expect(line.describe(await line.run(`refresh ${name}`))).toBe('TOKEN_THEFT_DETECTED');
    },
  );

  it('covers the retired token itself, not another child of it: that one is a theft', async () => {
    const line = await Line.startingAt('Y', GRACE);
    expect(line.describe(await line.run('refresh Z'))).toBe('TOKEN_THEFT_DETECTED');
  });

  it('hands out the successor in use whatever the application thinks of anti-CSRF by now (S024)', async () => {
    const line = await Line.startingAt('Y', GRACE);
    const response = await refresh(line.engine.core, line.refreshTokens.get('X') ?? '', {
      enableAntiCsrf: true,
    });
    expect(line.describe(response)).toBe('OK, child Y');
  });

  it('hands out no other successor than the one in use: of a child that a Core has made it is a theft, and writes nothing', async () => {
    const line = await Line.startingAt('X', GRACE);
    await line.run('verify A_z');
    const before = await line.row();
    const response = await refresh(line.engine.core, line.refreshTokens.get('X') ?? '', {
      useDynamicSigningKey: false,
    });
    expect(response.status).toBe('TOKEN_THEFT_DETECTED');
    expect(await line.row()).toEqual(before);
  });

  it('ends with the session (S025)', async () => {
    const line = await Line.startingAt('X', {
      ...GRACE,
      accessTokenValiditySec: 4,
      refreshTokenValiditySec: 5,
    });
    await line.run('verify A_y');
    line.engine.clock.advance(5000);
    expect(line.describe(await line.run('refresh X'))).toBe('OK, child Y');
    line.engine.clock.advance(1);
    expect(line.describe(await line.run('refresh X'))).toBe('UNAUTHORISED');
  });

  it('is closed by revoking (S026)', async () => {
    const line = await Line.startingAt('Y', GRACE);
    await line.run('remove');
    expect(line.describe(await line.run('refresh X'))).toBe('UNAUTHORISED');
  });
});

const NOW = 1_000_000;
const h1 = refreshTokenHash1;
const h2 = refreshTokenHash2;

describe('deciding on a refresh', () => {
  const row = (changes: Partial<RotationState> = {}): RotationState => ({
    refreshTokenHash2: h2('Y'),
    prevRefreshTokenHash2: h2('X'),
    rotatedAtMs: NOW - 10,
    expiresAtMs: NOW + 1000,
    ...changes,
  });
  const presented = (token: string, parent?: string) => ({
    hash2: h2(token),
    parentRefreshTokenHash1: parent === undefined ? undefined : h1(parent),
  });

  it.each<[what: string, decision: RefreshDecision, ...Parameters<typeof decideRefresh>]>([
    ['no row', 'UNKNOWN_SESSION', undefined, presented('Y', 'X'), NOW, 0],
    [
      'expired a millisecond ago',
      'UNKNOWN_SESSION',
      row({ expiresAtMs: NOW - 1 }),
      presented('Y', 'X'),
      NOW,
      0,
    ],
    ['in its last millisecond', 'ISSUE_CHILD', row({ expiresAtMs: NOW }), presented('Y', 'X'), NOW, 0],
    [
      'a stolen token of an expired session',
      'UNKNOWN_SESSION',
      row({ expiresAtMs: NOW - 1 }),
      presented('X'),
      NOW,
      0,
    ],
    ['current', 'ISSUE_CHILD', row(), presented('Y', 'X'), NOW, 0],
    ['first of the session', 'ISSUE_CHILD', row({ refreshTokenHash2: h2('X') }), presented('X'), NOW, 0],
    ['child of current', 'PROMOTE', row(), presented('G', 'Y'), NOW, 0],
    [
      'child of current in its last millisecond',
      'PROMOTE',
      row({ expiresAtMs: NOW }),
      presented('G', 'Y'),
      NOW,
      0,
    ],
    ['previous, no grace', 'THEFT', row(), presented('X'), NOW, 0],
    ['previous, no grace, at once', 'THEFT', row({ rotatedAtMs: NOW }), presented('X'), NOW, 0],
    ['previous, inside the grace period', 'REPEAT_CHILD', row(), presented('X'), NOW, 11],
    ['previous, at its end', 'REPEAT_CHILD', row(), presented('X'), NOW, 10],
    ['previous, after it', 'THEFT', row(), presented('X'), NOW, 9],
    ['previous, no time of rotation', 'THEFT', row({ rotatedAtMs: undefined }), presented('X'), NOW, 30_000],
    ['never rotated', 'THEFT', row({ prevRefreshTokenHash2: undefined }), presented('X'), NOW, 30_000],
    ['sibling of current', 'THEFT', row(), presented('Z', 'X'), NOW, 0],
    ['sibling of current, with grace', 'THEFT', row(), presented('Z', 'X'), NOW, 30_000],
    ['older, with grace', 'THEFT', row(), presented('W'), NOW, 30_000],
  ])('%s: %s', (_, decision, ...input) => {
    expect(decideRefresh(...input)).toBe(decision);
  });
});

describe('deciding on a verification', () => {
  const row = (changes: Partial<RotationState> = {}): RotationState => ({
    refreshTokenHash2: h2('Y'),
    prevRefreshTokenHash2: h2('X'),
    rotatedAtMs: NOW - 10,
    expiresAtMs: NOW,
    ...changes,
  });
  const token = (own: string, parent?: string) => ({
    refreshTokenHash1: h1(own),
    parentRefreshTokenHash1: parent === undefined ? undefined : h1(parent),
  });

  it.each<[what: string, decision: VerifyDecision, ...Parameters<typeof decideVerify>]>([
    ['no row', 'MISSING', undefined, token('Y'), NOW, false],
    ['an expired row', 'MISSING', row({ expiresAtMs: NOW - 1 }), token('Y'), NOW, true],
    ['no parent', 'KEEP_TOKEN', row(), token('Y'), NOW, false],
    ['no parent, an old lineage', 'KEEP_TOKEN', row(), token('X'), NOW, false],
    ['no parent, another payload', 'REPLACE_TOKEN', row(), token('Y'), NOW, true],
    ['no parent, an old lineage, another payload', 'REPLACE_TOKEN', row(), token('X'), NOW, true],
    ['parent is current', 'PROMOTE', row(), token('G', 'Y'), NOW, false],
    ['parent is current, another payload', 'PROMOTE', row(), token('G', 'Y'), NOW, true],
    ['its own token is current', 'REPLACE_TOKEN', row(), token('Y', 'X'), NOW, false],
    ['sibling of current', 'KEEP_TOKEN', row(), token('Z', 'X'), NOW, false],
    ['sibling of current, another payload', 'REPLACE_TOKEN', row(), token('Z', 'X'), NOW, true],
    ['an older lineage', 'KEEP_TOKEN', row(), token('X', 'W'), NOW, false],
  ])('%s: %s', (_, decision, ...input) => {
    expect(decideVerify(...input)).toBe(decision);
  });
});
