import type { AccessToken, CallResult, Asked, Call, KnownCall, Rules, ServedAt, Span } from './history.js';

/**
 * A session as the checker sees it. Instances have clocks that differ, so its end is known between two times only; what is possible
 * at one of them is allowed.
 */
export interface LiveSession {
  /** The number of the refresh token that the store knows. */
  readonly current: number;
  readonly expires: Span;
  readonly data: readonly string[];
  readonly claims: readonly string[];
}

export type State = LiveSession | 'not yet' | 'ended';

/** The effects that calls of unknown outcome may have had until now. Each of them does its work at most once, and later ones change nothing. */
export interface Possible {
  /** @returns whether a session with this current refresh token may have been ended */
  end(current: number): boolean;
  /** @returns the end of the session after the promotion; undefined: nothing can have made this refresh token current */
  promotion(generation: number): Span | undefined;
  data(name: string): boolean;
  claim(name: string): boolean;
}

/** One moment of a call: the states that it can lead to; none: it cannot have happened in this state. */
export type Step = (state: State, possible: Possible) => readonly State[];

interface Context {
  readonly rules: Rules;
  readonly clock: ServedAt;
  /** When the session ends at the latest. */
  readonly endsAt: Span | undefined;
  generation(token: string): number;
  /** Returns whether something may have ended the session before a time, so that responses leave without their tokens. */
  mayHaveEnded(beforeMs: number): boolean;
}

/** An effect that a call of unknown outcome may have. */
export type Effect =
  | { readonly kind: 'promote'; readonly generation: number; readonly expires: Span }
  | { readonly kind: 'data' | 'claim'; readonly name: string }
  /** `beyond`: only where a later refresh token is current, which is a theft. */
  | { readonly kind: 'end'; readonly beyond: number | undefined };

/** Returns the moments of a call with a known response, which happen in this order. */
export function stepsOf(
  { asked, result, clock, endedMs, isInDoubt = false }: KnownCall,
  context: Omit<Context, 'clock'>,
): readonly Step[] {
  const at: Context = { ...context, clock };
  const { status } = result;
  if (status === 'TRY_REFRESH') return [];
  const mayLoseTokens = isInDoubt || at.mayHaveEnded(endedMs);
  switch (asked.kind) {
    case 'sign-in':
      return [(state) => (state === 'not yet' ? [newSession(at)] : [])];
    case 'refresh': {
      const generation = at.generation(asked.token);
      if (status === 'THEFT') return [retired(generation), ending];
      if (status !== 'OK') return [attempted(generation, at), gone(at)];
      return result.refreshToken === undefined && !mayLoseTokens ? [IMPOSSIBLE] : [exchange(generation, at)];
    }
    case 'request':
      if (status !== 'OK') return [...use(asked.token, at), gone(at)];
      if (!asked.checksDatabase && !asked.token.isOfRefresh) return [];
      return [verify(asked, result.accessToken, at, mayLoseTokens)];
    case 'claim-by-token':
      return [
        ...use(asked.token, at),
        status === 'OK' ? store('claims', asked.name, at, claimsAfterStoring(result, clock)) : gone(at),
      ];
    case 'sign-out':
      return [...use(asked.token, at), status === 'OK' ? ending : gone(at)];
    case 'merge':
      return [status === 'OK' ? store('data', asked.name, at) : gone(at)];
    case 'claim':
      return [status === 'OK' ? store('claims', asked.name, at) : gone(at)];
    case 'read':
      return [status === 'OK' ? read(result.data ?? [], result.claims ?? [], at) : gone(at)];
    case 'revoke':
      return [status === 'OK' ? revoke : gone(at)];
    case 'revoke-user':
      return [status === 'OK' ? revoke : goneOrNotYet(at)];
    case 'revoke-all':
      return [(state) => [state === 'not yet' ? state : 'ended']];
  }
}

/** The token that leaves with a stored claim has it, unless the token expired meanwhile: such a one is not replaced. */
function claimsAfterStoring({ accessToken }: CallResult, { latest }: Span): readonly string[] | undefined {
  return accessToken === undefined || latest >= accessToken.expiresAtMs ? undefined : accessToken.claims;
}

/** Returns what a call without a known response may have done, or may do later. */
export function effectsOf({ asked, clock }: Call, context: Omit<Context, 'clock'>): readonly Effect[] {
  const expires = extended({ ...context, clock: { ...clock, latest: Number.POSITIVE_INFINITY } });
  const promoting = (token: AccessToken): readonly Effect[] =>
    token.isOfRefresh ? [{ kind: 'promote', generation: context.generation(token.of), expires }] : [];
  switch (asked.kind) {
    case 'refresh': {
      const generation = context.generation(asked.token);
      return [
        { kind: 'promote', generation, expires },
        { kind: 'end', beyond: generation },
      ];
    }
    case 'request':
      return promoting(asked.token);
    case 'claim-by-token':
      return [...promoting(asked.token), { kind: 'claim', name: asked.name }];
    case 'sign-out':
      return [...promoting(asked.token), { kind: 'end', beyond: undefined }];
    case 'merge':
      return [{ kind: 'data', name: asked.name }];
    case 'claim':
      return [{ kind: 'claim', name: asked.name }];
    case 'revoke':
    case 'revoke-user':
    case 'revoke-all':
      return [{ kind: 'end', beyond: undefined }];
    case 'sign-in':
    case 'read':
      return [];
  }
}

function newSession(at: Context): LiveSession {
  return { current: 0, expires: extended(at), data: [], claims: [] };
}

/** Returns the end of a session that is given time by an instance whose clock is somewhere in a span. */
function extended({ rules, clock, endsAt }: Context): Span {
  const capped = (time: number, end = Number.POSITIVE_INFINITY): number =>
    Math.min(time + rules.refreshValidityMs, end);
  return {
    earliest: capped(clock.earliest, endsAt?.earliest),
    latest: capped(clock.latest, endsAt?.latest),
  };
}

const IMPOSSIBLE: Step = () => [];
const ending: Step = (state) => (state === 'not yet' ? [] : ['ended']);
const revoke: Step = (state) => (typeof state === 'string' ? [] : ['ended']);

/** The session is gone: it has ended, or has expired by some clock. */
function gone({ clock }: Context): Step {
  return (state, possible) => {
    if (state === 'not yet') return [];
    if (state === 'ended') return [state];
    const isMaybeEnded = possible.end(highestCurrent(state, possible));
    return [
      ...(isMaybeEnded ? (['ended'] as const) : []),
      ...(clock.highest >= state.expires.earliest ? [state] : []),
    ];
  };
}

function goneOrNotYet(at: Context): Step {
  const isGone = gone(at);
  return (state, possible) => (state === 'not yet' ? [state] : isGone(state, possible));
}

/**
 * The session in a state in which it may serve a call; undefined: it has surely ended. One that has expired lives if a call of unknown
 * outcome can have given it more time.
 */
function alive(state: State, { clock }: Context, possible: Possible): LiveSession | undefined {
  if (typeof state === 'string') return undefined;
  let live: LiveSession | undefined = state;
  while (live !== undefined && clock.earliest > live.expires.latest)
    live = raised(live, live.current + 1, possible);
  return live;
}

/** A later refresh token than this one is current. */
function retired(generation: number): Step {
  return (state, possible) => {
    if (typeof state === 'string') return [];
    const later = raised(state, generation + 1, possible);
    return later === undefined ? [] : [later];
  };
}

/** A refresh token gets its successor: it is current, or becomes current. */
function exchange(generation: number, at: Context): Step {
  return (state, possible) => {
    const live = alive(state, at, possible);
    const before = live && raised(live, generation - 1, possible);
    return before === undefined || before.current > generation
      ? []
      : reached(before, generation, at, possible);
  };
}

/** A refresh that is refused in the end may have made its token current before. */
function attempted(generation: number, at: Context): Step {
  return (state, possible) => {
    const before = typeof state === 'string' ? undefined : raised(state, generation - 1, possible);
    const isReady = before?.current === generation - 1 && at.clock.earliest <= before.expires.latest;
    return isReady ? [state, promoted(before, at)] : [state];
  };
}

/** The use of an access token by a call that does more: it may make its refresh token current. */
function use(token: AccessToken, at: Context): readonly Step[] {
  if (!token.isOfRefresh) return [];
  const generation = at.generation(token.of);
  return [
    (state, possible) => {
      if (typeof state === 'string') return [state];
      const before = raised(state, generation - 1, possible);
      if (before === undefined) return [];
      const isAlive = at.clock.earliest <= before.expires.latest;
      return before.current === generation - 1 && isAlive ? [promoted(before, at), before] : [before];
    },
  ];
}

/** A verification that asks the store. @param isWithheld whether the response may have lost its token, as that of an ended session does */
function verify(
  { token, checksDatabase }: Extract<Asked, { kind: 'request' }>,
  given: AccessToken | undefined,
  at: Context,
  isWithheld: boolean,
): Step {
  const generation = at.generation(token.of);
  return (state, possible) => {
    const live = alive(state, at, possible);
    const before = live && raised(live, generation - 1, possible);
    if (before === undefined) return [];
    const found: LiveSession[] = [];
    // The first use, and every use while its refresh token is current, gives another access token.
    if (token.isOfRefresh && (given !== undefined || isWithheld) && before.current <= generation)
      found.push(...reached(before, generation, at, possible));
    // A later use gives another access token only where the stored payload differs. A route that does not check the database does
    // so as well, while its instance cannot read the feed.
    const later = raised(before, token.isOfRefresh ? generation + 1 : generation, possible);
    if (later !== undefined && (given === undefined || !sameNames(given.claims, token.claims)))
      found.push(later);
    const claims = given?.claims ?? (checksDatabase && !isWithheld ? token.claims : undefined);
    return claims === undefined ? found : found.flatMap((each) => withNames(each, { claims }, possible));
  };
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name) => other.includes(name));
}

function store(column: 'data' | 'claims', name: string, at: Context, given?: readonly string[]): Step {
  return (state, possible) => {
    const live = alive(state, at, possible);
    if (live === undefined) return [];
    const names = live[column];
    const after = { ...live, [column]: names.includes(name) ? names : [...names, name].sort() };
    return given === undefined ? [after] : withNames(after, { claims: given }, possible);
  };
}

function read(data: readonly string[], claims: readonly string[], at: Context): Step {
  return (state, possible) => {
    const live = alive(state, at, possible);
    return live === undefined ? [] : withNames(live, { data, claims }, possible);
  };
}

/** Returns the session with exactly these names, if all that are not there yet can have been stored. */
function withNames(
  state: LiveSession,
  wanted: { readonly data?: readonly string[]; readonly claims?: readonly string[] },
  possible: Possible,
): readonly LiveSession[] {
  const isReachable = (
    has: readonly string[],
    names: readonly string[] | undefined,
    canBe: (name: string) => boolean,
  ): boolean =>
    names === undefined ||
    (has.every((name) => names.includes(name)) && names.every((name) => has.includes(name) || canBe(name)));
  return isReachable(state.data, wanted.data, possible.data) &&
    isReachable(state.claims, wanted.claims, possible.claim)
    ? [{ ...state, ...wanted }]
    : [];
}

function promoted(state: LiveSession, at: Context): LiveSession {
  return { ...state, current: state.current + 1, expires: extended(at) };
}

/** Returns the session when this refresh token is current: since now, or since an earlier call of unknown outcome, by which it ends earlier. */
function reached(
  state: LiveSession,
  generation: number,
  at: Context,
  possible: Possible,
): readonly LiveSession[] {
  if (state.current >= generation) return [state];
  const earlier = raised(state, generation, possible);
  return [promoted(state, at), ...(earlier === undefined ? [] : [earlier])];
}

/** Returns the session once this refresh token, or a later one, is current; undefined: it cannot be by now. */
function raised(state: LiveSession, generation: number, possible: Possible): LiveSession | undefined {
  let raising = state;
  while (raising.current < generation) {
    const expires = possible.promotion(raising.current + 1);
    if (expires === undefined) return undefined;
    raising = { ...raising, current: raising.current + 1, expires };
  }
  return raising;
}

function highestCurrent(state: LiveSession, possible: Possible): number {
  let { current } = state;
  while (possible.promotion(current + 1) !== undefined) current++;
  return current;
}
