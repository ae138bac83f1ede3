import { describe, expect, it } from '@jest/globals';
import { checkHistory, NO_LEGAL_ORDER } from './check-history.js';
import type { AccessToken, Actor, CallResult, Asked, Call, History, Rules } from './history.js';
import { shrink } from './shrink.js';
import { tellHistory } from './story.js';

const START_MS = 1_760_000_000_000;
const ACCESS_MS = 60_000;
const RULES: Rules = { accessValidityMs: ACCESS_MS, refreshValidityMs: 100_000, feedBoundMs: 1000 };

/** An access token that came with a refresh token, at the beginning. */
function access(of: string, changes: Partial<AccessToken> = {}): AccessToken {
  return { of, isOfRefresh: false, expiresAtMs: START_MS + ACCESS_MS, claims: [], ...changes };
}

/** The first access token after a refresh. */
const fresh = (of: string): AccessToken => access(of, { isOfRefresh: true });

interface Written {
  readonly by?: Actor;
  /** undefined: the response is unknown. */
  readonly result?: Partial<CallResult> | undefined;
  readonly ended?: number;
  readonly instance?: string;
}

/** Writes histories by hand: times are milliseconds, and each call takes five. */
class Script {
  private readonly calls: Call[] = [];
  private line: readonly (readonly [string, string | null])[] = [['r0', null]];

  constructor(private readonly rules: Rules = RULES) {
    this.at(0, { kind: 'sign-in' }, { result: { refreshToken: 'r0', accessToken: access('r0') } });
  }

  at(beganMs: number, asked: Asked, { by = 'owner', result, ended, instance = '1.1' }: Written = {}): this {
    const endedMs = ended ?? beganMs + 5;
    this.calls.push({
      id: this.calls.length,
      actor: by,
      instance,
      beganMs,
      clock: { earliest: START_MS + beganMs, latest: START_MS + endedMs, highest: START_MS + endedMs },
      asked,
      ...(result === undefined ? {} : { endedMs, result: { status: 'OK', ...result } }),
    });
    return this;
  }

  refresh(beganMs: number, token: string, refreshToken: string, written: Written = {}): this {
    if (this.line.every(([known]) => known !== refreshToken))
      this.line = [...this.line, [refreshToken, token]];
    const result = { refreshToken, accessToken: fresh(refreshToken) };
    return this.at(beganMs, { kind: 'refresh', token }, { result, ...written });
  }

  /** A request with an access token to a route that checks the database. */
  checked(beganMs: number, token: AccessToken, written: Written = {}): this {
    return this.at(beganMs, { kind: 'request', token, checksDatabase: true }, { result: {}, ...written });
  }

  /** The first use of the access token of a refresh. */
  use(beganMs: number, of: string, written: Written = {}): this {
    return this.checked(beganMs, fresh(of), { result: { accessToken: access(of) }, ...written });
  }

  light(beganMs: number, token: AccessToken, written: Written = {}): this {
    return this.at(beganMs, { kind: 'request', token, checksDatabase: false }, { result: {}, ...written });
  }

  done(beganMs: number, kind: 'merge' | 'claim', name: string, written: Written = {}): this {
    return this.at(beganMs, { kind, name }, { by: 'administrator', result: {}, ...written });
  }

  read(beganMs: number, data: readonly string[], claims: readonly string[] = []): this {
    return this.at(beganMs, { kind: 'read' }, { by: 'administrator', result: { data, claims } });
  }

  revoke(beganMs: number, written: Written = {}): this {
    return this.at(beganMs, { kind: 'revoke' }, { by: 'administrator', result: {}, ...written });
  }

  get history(): History {
    return { session: 'by hand', rules: this.rules, line: this.line, calls: this.calls };
  }

  get violation(): string | undefined {
    return checkHistory(this.history)?.property;
  }
}

const script = (rules?: Rules): Script => new Script(rules);
const refused: Written = { result: { status: 'UNAUTHORISED' } };
const theft: Written = { result: { status: 'THEFT' } };

describe('the checker of histories accepts', () => {
  it('a refresh that is repeated until its successor is used', () => {
    expect(
      script().refresh(10, 'r0', 'r1').refresh(20, 'r0', 'r1').use(30, 'r1').refresh(40, 'r1', 'r2')
        .violation,
    ).toBeUndefined();
  });

  it('a thief who comes first, and the owner who is found later', () => {
    expect(
      script()
        .refresh(10, 'r0', 'r1', { by: 'thief' })
        .use(20, 'r1', { by: 'thief' })
        .at(30, { kind: 'refresh', token: 'r0' }, theft)
        .checked(40, access('r0'), refused).violation,
    ).toBeUndefined();
  });

  it('calls beside each other in the order that explains them, whichever began first', () => {
    expect(
      script()
        .revoke(10, { ended: 40 })
        .refresh(12, 'r0', 'r1', { ended: 30 })
        .done(15, 'merge', 'd1', { ended: 35 }).violation,
    ).toBeUndefined();
  });

  it('a call without a response that happened, that did not happen, and that happens later', () => {
    const merge = (): Script => script().at(10, { kind: 'merge', name: 'd1' }, { by: 'administrator' });
    expect(merge().read(20, ['d1']).violation).toBeUndefined();
    expect(merge().read(20, []).violation).toBeUndefined();
    expect(merge().read(20, []).read(30, ['d1']).violation).toBeUndefined();
    expect(merge().read(20, ['d1']).read(30, []).violation).toBe(NO_LEGAL_ORDER);
  });

  it('a promotion by a request whose response was lost', () => {
    expect(
      script()
        .refresh(10, 'r0', 'r1')
        .at(20, { kind: 'request', token: fresh('r1'), checksDatabase: false })
        .at(30, { kind: 'refresh', token: 'r0' }, { by: 'thief', ...theft }).violation,
    ).toBeUndefined();
  });

  it('a session that lives because of a promotion whose response was lost', () => {
    const lost = script().refresh(10, 'r0', 'r1').light(60_000, fresh('r1'), { result: undefined });
    expect(lost.read(120_000, []).violation).toBeUndefined();
    expect(script().refresh(10, 'r0', 'r1').read(120_000, []).violation).toBe(NO_LEGAL_ORDER);
  });

  it('a session that ends early, because its promotion was that of an earlier call whose response was lost', () => {
    const gone = { by: 'administrator', result: { status: 'GONE' } } as const;
    const refreshed = script().refresh(10, 'r0', 'r1');
    const inTime = refreshed.use(50_000, 'r1').at(101_000, { kind: 'read' }, gone);
    expect(inTime.violation).toBe(NO_LEGAL_ORDER);
    const lost = (): Script =>
      script().refresh(10, 'r0', 'r1').at(20, { kind: 'refresh', token: 'r1' }, { result: undefined });
    expect(lost().use(50_000, 'r1').at(101_000, { kind: 'read' }, gone).violation).toBeUndefined();
    const exchanged = lost().refresh(50_000, 'r1', 'r2');
    expect(exchanged.at(101_000, { kind: 'read' }, gone).violation).toBeUndefined();
  });

  it('a refresh that makes its token current, and is refused because the session reaches its end meanwhile', () => {
    const crossing = (rules?: Rules): Script =>
      script(rules)
        .refresh(10, 'r0', 'r1')
        .at(59_990, { kind: 'refresh', token: 'r1' }, { ...refused, ended: 60_050 })
        .at(60_100, { kind: 'refresh', token: 'r0' }, { by: 'auditor', ...theft });
    expect(crossing({ ...RULES, absoluteMs: ACCESS_MS }).violation).toBeUndefined();
    expect(crossing().violation).toBe(NO_LEGAL_ORDER);
  });

  it('another payload for the access token of a retired refresh token, while an instance cannot read the feed', () => {
    const later = script().refresh(10, 'r0', 'r1').use(20, 'r1').refresh(30, 'r1', 'r2').use(40, 'r2');
    const light = later.done(50, 'claim', 'c1').light(60, fresh('r1'), {
      result: { accessToken: access('r1', { claims: ['c1'] }) },
    });
    expect(light.violation).toBeUndefined();
  });

  it('a session that has expired by the clock of one instance, and lives by that of another', () => {
    const early = { earliest: START_MS + 90_000, latest: START_MS + 90_005, highest: START_MS + 101_000 };
    const { history } = script();
    const at = (id: number, beganMs: number, result: CallResult): Call => ({
      id,
      actor: 'owner',
      instance: `${id}.1`,
      beganMs,
      endedMs: beganMs + 5,
      clock: early,
      asked: { kind: 'refresh', token: 'r0' },
      result,
    });
    const calls = [
      ...history.calls,
      at(1, 90_000, { status: 'UNAUTHORISED' }),
      at(2, 90_010, { status: 'OK', refreshToken: 'r1', accessToken: fresh('r1') }),
    ];
    expect(checkHistory({ ...history, line: [...history.line, ['r1', 'r0']], calls })).toBeUndefined();
  });

  it('a request from memory within the bound of the feed, at another instance', () => {
    expect(script().revoke(10).light(900, access('r0'), { instance: '2.1' }).violation).toBeUndefined();
  });

  it('a refresh whose response leaves without tokens, because the session was ended meanwhile', () => {
    const withheld: Written = { result: {}, ended: 40 };
    const refreshed = script().at(10, { kind: 'refresh', token: 'r0' }, withheld);
    expect(refreshed.violation).toBe(NO_LEGAL_ORDER);
    expect(refreshed.revoke(20).violation).toBeUndefined();
  });

  it('a theft whose session another call ended meanwhile', () => {
    expect(
      script()
        .refresh(10, 'r0', 'r1', { by: 'thief' })
        .use(20, 'r1', { by: 'thief' })
        .at(30, { kind: 'refresh', token: 'r0' }, { ...theft, ended: 60 })
        .revoke(35, { ended: 50 }).violation,
    ).toBeUndefined();
  });
});

describe('the checker of histories finds', () => {
  it('P1: two refresh tokens of one line that are accepted', () => {
    const { violation } = script()
      .refresh(10, 'r0', 'r1')
      .refresh(20, 'r1', 'r2')
      .refresh(30, 'r2', 'r3')
      .refresh(40, 'r0', 'r1', { by: 'auditor' });
    expect(violation).toBe('P1 one live line');
  });

  it('P2: a session that goes on after the response to its revocation', () => {
    const revoked = (): Script => script().revoke(10);
    const P2 = 'P2 no life after a confirmed revocation';
    expect(revoked().refresh(20, 'r0', 'r1').violation).toBe(P2);
    expect(revoked().done(20, 'merge', 'd1').violation).toBe(P2);
    expect(revoked().checked(20, access('r0')).violation).toBe(P2);
    expect(revoked().light(20, access('r0')).violation).toBe(P2);
    expect(revoked().light(1100, access('r0'), { instance: '2.1' }).violation).toBe(P2);
  });

  it('P3: an owner who is called a thief, and is alone', () => {
    const { violation } = script()
      .refresh(10, 'r0', 'r1')
      .use(20, 'r1')
      .at(30, { kind: 'refresh', token: 'r1' }, theft);
    expect(violation).toBe('P3 the owner alone is no thief');
  });

  it('P4: a second party that gets tokens, and a theft that leaves the session', () => {
    const P4 = 'P4 the second party is found';
    const used = (): Script => script().refresh(10, 'r0', 'r1').use(20, 'r1');
    expect(used().refresh(30, 'r0', 'r1', { by: 'thief' }).violation).toBe(P4);
    expect(
      used()
        .at(30, { kind: 'refresh', token: 'r0' }, { by: 'thief', ...theft })
        .refresh(40, 'r1', 'r2').violation,
    ).toBe(P4);
  });

  it('P5: two successors of one token', () => {
    expect(script().refresh(10, 'r0', 'r1').refresh(20, 'r0', 'r2').violation).toBe(
      'P5 one token, one successor',
    );
  });

  it('P6: tokens and sessions that get more time', () => {
    const P6 = 'P6 limits are never extended';
    const longer = { accessToken: access('r0', { expiresAtMs: START_MS + ACCESS_MS + 20 }) };
    expect(script().checked(30, access('r0'), { result: longer }).violation).toBe(P6);
    const muchLonger = { refreshToken: 'r1', accessToken: access('r1', { expiresAtMs: START_MS + 70_000 }) };
    expect(script().refresh(30, 'r0', 'r1', { result: muchLonger }).violation).toBe(P6);
    expect(script().checked(61_000, access('r0')).violation).toBe(P6);
    const absolute = script({ ...RULES, absoluteMs: 30_000 });
    expect(absolute.refresh(40_000, 'r0', 'r1').violation).toBe(P6);
  });

  it('another access token of a retired refresh token, whose payload is the same', () => {
    const later = script().refresh(10, 'r0', 'r1').use(20, 'r1').refresh(30, 'r1', 'r2').use(40, 'r2');
    expect(later.use(60, 'r1').violation).toBe(NO_LEGAL_ORDER);
  });

  it('P7: a merge that was confirmed, and is lost', () => {
    const P7 = 'P7 every merge survives';
    expect(script().done(10, 'merge', 'd1').done(20, 'merge', 'd2').read(30, ['d2']).violation).toBe(P7);
    expect(script().done(10, 'claim', 'c1').read(20, []).violation).toBe(P7);
  });

  it.each<[string, Script]>([
    ['a refresh after the session has expired', script().refresh(100_010, 'r0', 'r1')],
    ['a session that is gone, though nothing ended it', script().checked(10, access('r0'), refused)],
    [
      'a theft reported of the current token',
      script().at(10, { kind: 'refresh', token: 'r0' }, { by: 'thief', ...theft }),
    ],
    ['a name that was never stored', script().read(10, ['d1'])],
    ['a first use without a new access token', script().refresh(10, 'r0', 'r1').checked(20, fresh('r1'))],
    [
      'a token with an older payload than the one it is exchanged by',
      script().done(10, 'claim', 'c1').checked(20, access('r0')),
    ],
    ['two sessions of one revocation', script().revoke(10).revoke(20, { by: 'owner' })],
    [
      'responses that fit one by one, and not together',
      script()
        .done(10, 'merge', 'd1', { ended: 50 })
        .done(11, 'merge', 'd2', { ended: 50 })
        .at(12, { kind: 'read' }, { result: { data: ['d1'], claims: [] }, ended: 40 })
        .at(41, { kind: 'read' }, { result: { data: ['d2'], claims: [] }, ended: 49 }),
    ],
  ])('%s', (_, { violation }) => {
    expect(violation).toMatch(/^(?:a legal order|P2 )/);
  });
});

describe('a history that fails', () => {
  const lengthy = (): History => {
    const calls = script();
    for (let n = 1; n < 30; n++) calls.done(n * 10, 'merge', `d${n}`).light(n * 10 + 5, access('r0'));
    return calls.refresh(400, 'r0', 'r1').use(410, 'r1').refresh(420, 'r0', 'r1', { by: 'thief' }).history;
  };

  it('is shrunk to the responses that show it', () => {
    const history = lengthy();
    const violation = checkHistory(history);
    if (violation === undefined) throw new Error('The history is legal');
    const shrunk = shrink(history, violation);
    expect(shrunk.calls).toHaveLength(history.calls.length);
    const known = shrunk.calls.filter(({ result }) => result !== undefined);
    expect(known.map(({ asked }) => asked.kind)).toEqual(['sign-in', 'request', 'refresh']);
    expect(checkHistory(shrunk)?.property).toBe(violation.property);
    expect(checkHistory(JSON.parse(JSON.stringify(shrunk)) as History)).toEqual(checkHistory(shrunk));
  });

  it('is told in sentences', () => {
    const story = tellHistory(lengthy());
    expect(story[0]).toBe(
      `0.000-0.005 s, call 0: the owner signs in at instance 1.1: OK with refresh token 0 and an access token until ${START_MS + ACCESS_MS} with the claims []`,
    );
    expect(story.at(-1)).toContain(
      'the thief refreshes with refresh token 0 at instance 1.1: OK with refresh token 1',
    );
  });
});
