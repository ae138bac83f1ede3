import { generations, isKnown, type Call, type History, type KnownCall, type Span } from './history.js';
import { effectsOf, stepsOf, type Effect, type Possible, type State, type Step } from './session-steps.js';

/** The most states that the search looks at. Histories of one session need some hundreds. */
const MAX_STATES = 400_000;

interface Moment {
  readonly call: KnownCall;
  readonly step: Step;
  /** The place of the moment of the same call that comes before it. */
  readonly after: number | undefined;
}

export type Order =
  | { readonly kind: 'legal'; readonly states: number }
  | { readonly kind: 'too long' }
  /** The calls that could come next after the longest legal beginning, and the session there. */
  | { readonly kind: 'illegal'; readonly stuck: readonly KnownCall[]; readonly state: State };

/**
 * Searches an order of the calls of one session, in which each gives the response that it gave, and which puts no call that had ended
 * behind one that began later. It is the search of Wing and Gong with the memory of Lowe: a set of calls and a state are looked at once.
 */
export function findLegalOrder(history: History): Order {
  return new Search(history).run();
}

class Search {
  private readonly moments: readonly Moment[];
  private readonly effects: readonly (readonly [Effect, beganMs: number])[];
  private readonly isDone: boolean[];
  private readonly seen = new Set<string>();
  private most = -1;
  private stuck: { readonly calls: readonly KnownCall[]; readonly state: State } = {
    calls: [],
    state: 'not yet',
  };

  constructor({ calls, rules, ...history }: History) {
    const numbers = generations(history);
    const generation = (token: string): number => numbers.get(token) ?? 0;
    const signIn = calls.find(({ asked }) => asked.kind === 'sign-in');
    const context = {
      rules,
      generation,
      endsAt: absoluteEnd(signIn, rules.absoluteMs),
      mayHaveEnded: endingTime(calls),
    };
    const moments: Moment[] = [];
    for (const call of calls.filter(isKnown).toSorted((a, b) => a.beganMs - b.beganMs))
      for (const [n, step] of stepsOf(call, context).entries())
        moments.push({ call, step, after: n === 0 ? undefined : moments.length - 1 });
    this.moments = moments;
    this.isDone = moments.map(() => false);
    this.effects = calls
      .filter((call) => !isKnown(call))
      .flatMap((call) => effectsOf(call, context).map((effect) => [effect, call.beganMs] as const));
  }

  run(): Order {
    try {
      if (this.search(0, 0, 'not yet')) return { kind: 'legal', states: this.seen.size };
    } catch (error) {
      if (error === TOO_LONG) return { kind: 'too long' };
      throw error;
    }
    return { kind: 'illegal', stuck: this.stuck.calls, state: this.stuck.state };
  }

  /** @param from the first moment that is not done */
  private search(from: number, done: number, state: State): boolean {
    if (done === this.moments.length) return true;
    let first = from;
    while (this.isDone[first]) first++;
    if (!this.isNew(first, state)) return false;
    const { candidates, limitMs } = this.next(first);
    this.note(done, candidates, state);
    const possible = this.possible(limitMs);
    for (const n of candidates) {
      const moment = this.moments[n];
      if (moment === undefined) continue;
      for (const after of moment.step(state, possible)) {
        this.isDone[n] = true;
        const isLegal = this.search(first, done + 1, after);
        this.isDone[n] = false;
        if (isLegal) return true;
      }
    }
    return false;
  }

  /** Returns the moments that may come next, and the time before which one of them must come. */
  private next(first: number): { candidates: readonly number[]; limitMs: number } {
    let limitMs = Number.POSITIVE_INFINITY;
    const open: number[] = [];
    for (let n = first; n < this.moments.length; n++) {
      const moment = this.moments[n];
      if (moment === undefined || moment.call.beganMs > limitMs) break;
      if (this.isDone[n]) continue;
      limitMs = Math.min(limitMs, moment.call.endedMs);
      open.push(n);
    }
    const candidates = open.filter((n) => {
      const moment = this.moments[n];
      if (moment === undefined || moment.call.beganMs > limitMs) return false;
      return moment.after === undefined || this.isDone[moment.after] === true;
    });
    const ended = (n: number): number => this.moments[n]?.call.endedMs ?? 0;
    return { candidates: candidates.sort((a, b) => ended(a) - ended(b)), limitMs };
  }

  private possible(limitMs: number): Possible {
    const open = this.effects.filter(([, beganMs]) => beganMs < limitMs).map(([effect]) => effect);
    const hasName = (kind: 'data' | 'claim', name: string): boolean =>
      open.some((effect) => effect.kind === kind && effect.name === name);
    return {
      end: (current) =>
        open.some(
          (effect) => effect.kind === 'end' && (effect.beyond === undefined || effect.beyond < current),
        ),
      promotion: (generation) => promotionSpan(open, generation),
      data: (name) => hasName('data', name),
      claim: (name) => hasName('claim', name),
    };
  }

  private isNew(first: number, state: State): boolean {
    let key = `${first} ${JSON.stringify(state)}`;
    for (let n = first + 1; n < this.moments.length; n++) if (this.isDone[n]) key += ` ${n}`;
    if (this.seen.has(key)) return false;
    if (this.seen.size >= MAX_STATES) throw TOO_LONG;
    this.seen.add(key);
    return true;
  }

  private note(done: number, candidates: readonly number[], state: State): void {
    if (done <= this.most) return;
    this.most = done;
    this.stuck = { calls: candidates.flatMap((n) => this.moments[n]?.call ?? []), state };
  }
}

const TOO_LONG = new Error('The search for a legal order takes too long');

/** Returns the widest end that the promotions of calls with unknown outcome give. */
function promotionSpan(open: readonly Effect[], generation: number): Span | undefined {
  let span: Span | undefined;
  for (const effect of open) {
    if (effect.kind !== 'promote' || effect.generation !== generation) continue;
    const { earliest, latest } = effect.expires;
    span = {
      earliest: Math.min(earliest, span?.earliest ?? earliest),
      latest: Math.max(latest, span?.latest ?? latest),
    };
  }
  return span;
}

/** Returns when a session ends at the latest, in whole seconds as in its tokens. */
export function absoluteEnd(signIn: Call | undefined, absoluteMs: number | undefined): Span | undefined {
  if (signIn === undefined || absoluteMs === undefined) return undefined;
  return {
    earliest: signIn.clock.earliest + absoluteMs - 1000,
    latest: signIn.clock.latest + absoluteMs + 1000,
  };
}

/** Returns the question whether a call that can end the session had begun before a time. */
function endingTime(calls: readonly Call[]): (beforeMs: number) => boolean {
  const ends = ({ asked, result }: Call): boolean => {
    if (/^(?:revoke|sign-out)/.test(asked.kind)) return result?.status !== 'TRY_REFRESH';
    return asked.kind === 'refresh' && (result === undefined || result.status === 'THEFT');
  };
  const firstMs = Math.min(...calls.filter(ends).map(({ beganMs }) => beganMs));
  return (beforeMs) => firstMs < beforeMs;
}
