import type { SessionRow } from '../../lib/stores/session-store.js';
import { withToken } from './choices.js';
import { Engine, type Beginning } from './engine.js';
import { Facts } from './facts.js';
import { REFRESH_VALIDITY_MS } from './instance.js';
import { hasResponse, type OperationResponse, type Heard } from './operations.js';
import { applyToRow, type Applied } from './parked-store.js';
import { violations, type Ended } from './properties.js';
import type { Scenario } from './scenarios.js';
import { isLive, isSame, outcomes, type Outcome, type Rules, type Session } from './spec.js';
import { nowOf, type Choice, type Open, type Purse, type State, type Violation } from './state.js';

export interface Stepped {
  readonly state: State;
  readonly violation: Violation | undefined;
}

type Change = { -readonly [Name in keyof State]: State[Name] };

/** The number of sets of tokens that a thief keeps. */
const PURSES = 2;

/** Makes the steps of a schedule: the store and the clients as data, the library as it is. */
export class World {
  private readonly facts: Facts;
  private readonly applied = new Map<string, Applied>();
  private readonly rowNumbers = new WeakMap<SessionRow, number>();
  private readonly rowTexts = new Map<string, number>();
  private readonly responseTexts = new Map<string, number>();

  private constructor(
    readonly engine: Engine,
    readonly scenario: Scenario,
    private readonly rules: Rules,
    readonly first: State,
  ) {
    this.facts = new Facts(engine.tokens);
  }

  static async of(scenario: Scenario): Promise<World> {
    const { engine, beginning } = await Engine.start(scenario);
    const { endsAfterSec } = scenario;
    const rules: Rules = {
      refreshValidityMs: REFRESH_VALIDITY_MS,
      gracePeriodMs: scenario.gracePeriodSec * 1000,
      endsAtMs: endsAfterSec === undefined ? undefined : beginning.row.createdAtMs + endsAfterSec * 1000,
    };
    return new World(engine, scenario, rules, firstState(beginning, scenario, new Facts(engine.tokens)));
  }

  /** Makes one step. @returns the state after it, and the first property that does not hold any more */
  async step(before: State, choice: Choice): Promise<Stepped> {
    switch (choice.do) {
      case 'begin':
        return this.begin(before, choice);
      case 'reply':
      case 'lose':
      case 'fail':
        return this.store(before, choice);
      case 'deliver':
        return this.finish(before, { ...before }, choice.open, true);
      case 'drop':
        return this.finish(before, spent(before, 'losses'), choice.open, false);
      case 'crash': {
        const open = before.open.filter(({ instance }) => instance !== choice.instance);
        return this.conclude(before, { ...spent(before, 'crashes'), open }, undefined);
      }
      case 'steal':
        return this.conclude(before, { ...before, thief: before.browser && [before.browser] }, undefined);
      case 'wait':
        return this.conclude(
          before,
          { ...spent(before, 'time'), times: [...before.times, nowOf(before) + choice.ms] },
          undefined,
        );
    }
  }

  private async begin(
    before: State,
    { actor, operation, instance }: Extract<Choice, { do: 'begin' }>,
  ): Promise<Stepped> {
    const startedMs = nowOf(before);
    const started = this.engine.begin(this.kindOf(instance), withToken(operation, before), startedMs);
    const place = typeof started === 'number' ? started : await started;
    const open: Open = {
      id: before.begun,
      actor,
      instance,
      place,
      startedMs,
      possible: [],
      hasChanged: false,
      hasPromoted: false,
      hadTrouble: false,
      beganRevoked: before.isRevoked,
      beganAt: before.session?.current ?? -1,
    };
    const after: Change = { ...spent(before, actor), open: [...before.open, open], begun: before.begun + 1 };
    if (actor === 'thief') after.isThiefKnown = true;
    return this.settle(before, after, after.open.length - 1);
  }

  /** Lets the store respond, or fail. */
  private async store(
    before: State,
    { do: how, open: index }: { readonly do: 'reply' | 'lose' | 'fail'; readonly open: number },
  ): Promise<Stepped> {
    const open = openAt(before, index);
    const after: Change = how === 'reply' ? { ...before } : spent(before, 'losses');
    let value: unknown;
    if (how !== 'fail') {
      const applied = await this.apply(before.row, open.place);
      ({ value } = applied);
      if (!isSameRow(applied.row, before.row)) after.row = applied.row;
    }
    const heard: Heard = { nowMs: nowOf(before), reply: how === 'reply' ? { value } : undefined };
    const next = this.engine.hear(open.place, heard);
    const place = typeof next === 'number' ? next : await next;
    const moved = { ...open, place, hadTrouble: open.hadTrouble || how !== 'reply' };
    const changed = after.row === before.row ? moved : this.change(before, after, moved);
    if ('property' in changed) return { state: after, violation: changed };
    after.open = before.open.map((each, n) => (n === index ? changed : each));
    return this.settle(before, after, index);
  }

  /** Checks that a change of the row is one that the rules allow to this operation. @returns the operation after it */
  private change(before: State, after: Change, open: Open): Open | Violation {
    const seen = after.row && this.facts.session(after.row, before.line);
    if (seen?.current === undefined && seen !== undefined)
      return wrong('the stored refresh token is none that was given out');
    const session: Session | undefined = seen;
    after.session = session;
    const allowed = this.outcomesOf(before, open).filter((outcome) => isChangeTo(outcome, session));
    const request = this.engine.operation(open.place).kind;
    if (allowed.length === 0)
      return wrong(`a ${request} changed the session in a way that the rules do not allow: ${tell(session)}`);
    if (open.hasChanged) return wrong(`a ${request} changed the session twice`);
    const hasPromoted = session !== undefined && session.current !== before.session?.current;
    return { ...open, hasChanged: true, hasPromoted, possible: responsesOf(allowed) };
  }

  /** Ends an operation at once unless its response carries what its client would keep. */
  private async settle(before: State, after: Change, index: number): Promise<Stepped> {
    const open = openAt(after, index);
    const point = this.engine.point(open.place);
    if (!hasResponse(point) || matters(open, point.response)) return this.conclude(before, after, undefined);
    return this.finish(before, after, index, true);
  }

  private finish(before: State, after: Change, index: number, isDelivered: boolean): Stepped {
    const open = openAt(after, index);
    const point = this.engine.point(open.place);
    if (!hasResponse(point)) throw new Error('An operation that waits for the store cannot end');
    const operation = this.engine.operation(open.place);
    const ended: Ended = { open: this.considered(after, open), operation, response: point.response };
    after.open = after.open.filter((_, n) => n !== index);
    if (operation.kind === 'refresh') registerSuccessor(after, operation.token, point.response);
    if (isDelivered) receive(after, ended);
    return this.conclude(before, after, ended);
  }

  private conclude(before: State, after: Change, ended: Ended | undefined): Stepped {
    after.open = after.open.map((open) => this.considered(after, open));
    const { rules, engine } = this;
    const violation =
      violations({ before, after, ended, rules, tokens: engine.tokens }) ??
      (ended && this.disagreement(after, ended));
    return { state: canonical(after, this.isSymmetric), violation };
  }

  /** Compares the end of an operation with what the rules allowed at some moment of it. */
  private disagreement({ line }: State, { open, response, operation }: Ended): Violation | undefined {
    if (response.status === 'UNAVAILABLE' && open.hadTrouble) return undefined;
    const text = responseText(response, line);
    return open.possible.includes(text)
      ? undefined
      : wrong(
          `a ${operation.kind} ended with "${text}"${response.message === undefined ? '' : ` (${response.message})`}; ` +
            `the rules allow ${open.possible.map((each) => `"${each}"`).join(' or ')}`,
        );
  }

  /** Adds the responses that the rules allow at this moment. */
  private considered(state: State, open: Open): Open {
    const now = open.hasChanged ? this.lateResponses(state, open) : responsesOf(this.outcomesOf(state, open));
    const fresh = now.filter((response) => !open.possible.includes(response));
    return fresh.length === 0 ? open : { ...open, possible: [...open.possible, ...fresh].sort() };
  }

  /** A refresh whose store took so long that the session has ended meanwhile gives no tokens, though it made its token current. */
  private lateResponses(state: State, { place }: Open): readonly string[] {
    const isRefresh = this.engine.operation(place).kind === 'refresh';
    return isRefresh && !isLive(state.session, nowOf(state)) ? ['UNAUTHORISED'] : [];
  }

  /** The clock may have gone on between two steps of an operation, which looked at it before. */
  private outcomesOf({ session, times, line }: State, open: Open): readonly Outcome[] {
    const request = this.facts.request(this.engine.operation(open.place), line);
    return times
      .filter((timeMs) => timeMs >= open.startedMs)
      .flatMap((nowMs) => outcomes(session, request, { cameMs: open.startedMs, nowMs }, this.rules));
  }

  private async apply(row: SessionRow | undefined, place: number): Promise<Applied> {
    const key = `${place} ${this.rowNumber(row)}`;
    const known = this.applied.get(key);
    if (known !== undefined) return known;
    const point = this.engine.point(place);
    if (hasResponse(point)) throw new Error('The operation has ended');
    const applied = await applyToRow(row, point.call);
    this.applied.set(key, applied);
    return applied;
  }

  /** Rows with the same content have one number. */
  private rowNumber(row: SessionRow | undefined): number {
    if (row === undefined) return -1;
    const known = this.rowNumbers.get(row);
    if (known !== undefined) return known;
    const number = numberOf(this.rowTexts, JSON.stringify(row));
    this.rowNumbers.set(row, number);
    return number;
  }

  /** Returns the text by which two states are the same. */
  key(state: State): string {
    const { times, line, browser, thief, isThiefKnown, isRevoked, merged, claimed, open, left } = state;
    const flags = Number(isThiefKnown) + 2 * Number(isRevoked);
    let key =
      `${this.rowNumber(state.row)};${times.join()};${line.join()};${merged.join()};${claimed.join()};${flags};` +
      `${left.owner},${left.thief},${left.admin},${left.sweeper},${left.crashes},${left.losses},${left.time};` +
      `${purseKey(browser)};${thief?.map(purseKey).join() ?? ''}`;
    for (const each of open) {
      const has = Number(each.hasChanged) + 2 * Number(each.hasPromoted) + 4 * Number(each.hadTrouble);
      key +=
        `;${each.actor}${each.instance} ${each.place} ${each.startedMs} ${numberOf(this.responseTexts, each.possible.join())}` +
        ` ${has + 8 * Number(each.beganRevoked)} ${each.beganAt}`;
    }
    return key;
  }

  /** Instances that are set up alike are one to an operation. */
  private kindOf(instance: number): number {
    return this.isSymmetric ? 0 : instance;
  }

  private get isSymmetric(): boolean {
    return this.scenario.antiCsrf[0] === this.scenario.antiCsrf[1];
  }
}

function firstState({ row, accessToken, refreshToken }: Beginning, scenario: Scenario, facts: Facts): State {
  const session = facts.session(row, [refreshToken]);
  if (session.current === undefined) throw new Error('The stored refresh token is not that of the sign-in');
  return {
    times: [row.createdAtMs],
    row,
    session,
    line: [refreshToken],
    browser: { accessToken, refreshToken },
    thief: undefined,
    isThiefKnown: false,
    isRevoked: false,
    merged: [],
    claimed: [],
    open: [],
    left: scenario.budget,
    begun: 0,
  };
}

function openAt({ open }: State, index: number): Open {
  const found = open[index];
  if (found === undefined) throw new Error(`There is no operation ${index}`);
  return found;
}

function spent(state: State, what: keyof State['left']): Change {
  return { ...state, left: { ...state.left, [what]: state.left[what] - 1 } };
}

function wrong(message: string): Violation {
  return { property: 'the rules (test/prove/spec.ts)', message };
}

/** Compares what an outcome does with what was done. Times are compared by the properties, because an operation reads the clock early. */
function isChangeTo({ after }: Outcome, session: Session | undefined): boolean {
  if (after === undefined || session === undefined) return after === session;
  return (
    after.current === session.current &&
    isSame(after.data, session.data) &&
    isSame(after.claims, session.claims)
  );
}

function responsesOf(allowed: readonly Outcome[]): readonly string[] {
  return [...new Set(allowed.map(({ response }) => response))].sort();
}

function responseText(
  { status, accessToken, refreshToken }: OperationResponse,
  line: readonly string[],
): string {
  if (refreshToken !== undefined) return `${status}, refresh token ${line.indexOf(refreshToken)}`;
  return accessToken === undefined ? status : `${status}, new access token`;
}

/** The thief's line never fails: without a response a thief only knows less. */
function matters({ actor }: Open, { status, accessToken }: OperationResponse): boolean {
  return actor === 'owner' && (accessToken !== undefined || endsIt(status));
}

function endsIt(status: OperationResponse['status']): boolean {
  return status === 'UNAUTHORISED' || status === 'THEFT';
}

function registerSuccessor(after: Change, token: string, { refreshToken }: OperationResponse): void {
  const generation = after.line.indexOf(token);
  if (refreshToken === undefined || after.line[generation + 1] !== undefined) return;
  after.line = [...after.line.slice(0, generation + 1), refreshToken];
}

/** A response reaches its client. */
function receive(after: Change, { open, operation, response }: Ended): void {
  const { accessToken, refreshToken, status } = response;
  if (open.actor === 'owner' && after.browser !== undefined) {
    if (endsIt(status) && operation.kind !== 'merge') after.browser = undefined;
    else after.browser = withTokens(after.browser, accessToken, refreshToken);
  }
  if (open.actor === 'thief' && accessToken !== undefined && after.thief !== undefined) {
    const [latest] = after.thief;
    if (latest !== undefined)
      after.thief = [withTokens(latest, accessToken, refreshToken), ...after.thief].slice(0, PURSES);
  }
  if (status !== 'OK') return;
  if (operation.kind === 'revoke' || operation.kind === 'revoke-user') after.isRevoked = true;
  if (operation.kind === 'merge') after.merged = [...after.merged, operation.name].sort();
  if (operation.kind === 'claim') after.claimed = [...after.claimed, operation.name].sort();
  if (operation.kind === 'regenerate') after.claimed = [...after.claimed, operation.claim].sort();
}

function withTokens(purse: Purse, accessToken: string | undefined, refreshToken: string | undefined): Purse {
  return {
    accessToken: accessToken ?? purse.accessToken,
    refreshToken: refreshToken ?? purse.refreshToken,
  };
}

/** Puts the operations in an order of their own, and forgets which instance is which where that cannot matter. */
function canonical(state: Change, isSymmetric: boolean): State {
  state.open = [...state.open].sort(byPlace);
  if (!isSymmetric) return state;
  const [first] = state.open;
  const isNamed = state.left.crashes > 0;
  state.open = state.open.map((open) => ({
    ...open,
    instance: isNamed && open.instance !== first?.instance ? 1 : 0,
  }));
  return state;
}

function byPlace(a: Open, b: Open): number {
  return a.place - b.place || a.actor.localeCompare(b.actor) || a.instance - b.instance;
}

function numberOf(texts: Map<string, number>, text: string): number {
  let number = texts.get(text);
  if (number === undefined) texts.set(text, (number = texts.size));
  return number;
}

function purseKey(purse: Purse | undefined): string {
  return purse === undefined ? '' : `${purse.accessToken} ${purse.refreshToken}`;
}

function isSameRow(a: SessionRow | undefined, b: SessionRow | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (Object.keys(a) as (keyof SessionRow)[]).every((name) => a[name] === b[name]);
}

function tell(session: Session | undefined): string {
  return session === undefined ? 'it is gone' : JSON.stringify(session);
}
