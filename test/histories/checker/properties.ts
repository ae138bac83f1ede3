import { absoluteEnd } from './legal-order.js';
import {
  generations,
  isKnown,
  type AccessToken,
  type Call,
  type History,
  type KnownCall,
  type Violation,
} from './history.js';

/** The known calls of a history, with what the properties ask about them. */
interface Facts {
  readonly history: History;
  readonly known: readonly KnownCall[];
  generation(token: string): number;
}

type Finding = Omit<Violation, 'property'> | undefined;
type Property = (facts: Facts) => Finding;

const finding = (message: string, ...calls: readonly Call[]): Finding => ({
  message,
  calls: calls.map(({ id }) => id),
});

/**
 * The properties of docs/proof.md for recorded calls. Each compares calls of which one had ended before the other began, so it needs no
 * search; the search for a legal order finds more, and says less about it.
 */
export const PROPERTIES: Readonly<Record<string, Property>> = {
  'P1 one live line': ({ known, generation }) => {
    const given = refreshes(known).filter(isOk);
    return firstPair(given, given, (early, late) => {
      const [accepted, lateOne] = [generation(early.asked.token), generation(late.asked.token)];
      return lateOne <= accepted - 2
        ? `refresh token ${lateOne} is accepted after refresh token ${accepted} was`
        : undefined;
    });
  },

  'P2 no life after a confirmed revocation': (facts) => afterDatabase(facts) ?? afterFeed(facts),

  'P3 the owner alone is no thief': ({ known, history }) => {
    const theft = known.find(({ result, actor }) => result.status === 'THEFT' && actor === 'owner');
    if (theft === undefined) return undefined;
    const isForeign = ({ actor, beganMs }: Call): boolean =>
      (actor === 'thief' || actor === 'auditor') && beganMs < theft.endedMs;
    return history.calls.some(isForeign)
      ? undefined
      : finding('the owner is called a thief, and nobody else has used a token', theft);
  },

  'P4 the second party is found': ({ known, generation }) =>
    firstPair(known.filter(isOk), refreshes(known).filter(isOk), (early, late) => {
      const used = usedGeneration(early, generation);
      const given = generation(late.asked.token);
      return used !== undefined && given < used
        ? `refresh token ${given} got a successor, though refresh token ${used} had been used before`
        : undefined;
    }) ??
    firstPair(
      known.filter(({ result }) => result.status === 'THEFT'),
      known.filter(asksStore).filter(isOk),
      () => 'a theft was reported, and the session goes on',
    ),

  'P5 one token, one successor': ({ known, history }) => {
    const parents = new Map(history.line);
    const successors = new Map<string, string>();
    for (const call of refreshes(known).filter(isOk)) {
      const { token } = call.asked;
      const given = call.result.refreshToken;
      if (given === undefined) continue; // withheld, because the session ended before the response left
      const before = successors.get(token);
      successors.set(token, given);
      if (before !== undefined && before !== given)
        return finding(`refresh token ${token} has two successors, ${before} and ${given}`, call);
      const parent = parents.get(given);
      if (parent !== token)
        return finding(`the successor of refresh token ${token} is ${given}, that of ${parent}`, call);
    }
    return undefined;
  },

  'P6 limits are never extended': (facts) => {
    for (const call of facts.known) {
      const message = extension(call, facts);
      if (message !== undefined) return finding(message, call);
    }
    return undefined;
  },

  'P7 every merge survives': ({ known }) =>
    firstPair(known.filter(isOk), known.filter(isOk), (early, { result }) => {
      const { asked } = early;
      if (asked.kind !== 'merge' && asked.kind !== 'claim' && asked.kind !== 'claim-by-token')
        return undefined;
      const names = asked.kind === 'merge' ? result.data : result.claims;
      return names === undefined || names.includes(asked.name)
        ? undefined
        : `${asked.name} was confirmed, and is not stored`;
    }),
};

/** Returns what the first property that does not hold says. */
export function findBrokenProperty(history: History): Violation | undefined {
  const numbers = generations(history);
  const known = history.calls.filter(isKnown).toSorted((a, b) => a.endedMs - b.endedMs);
  const facts: Facts = { history, known, generation: (token) => numbers.get(token) ?? 0 };
  for (const [property, holds] of Object.entries(PROPERTIES)) {
    const found = holds(facts);
    if (found !== undefined) return { property, ...found };
  }
  return undefined;
}

/** Looks for two calls, of which one had ended before the other began. */
function firstPair<E extends KnownCall, L extends KnownCall>(
  earlier: readonly E[],
  later: readonly L[],
  judge: (early: E, late: L) => string | undefined,
): Finding {
  for (const late of later)
    for (const early of earlier) {
      if (early.endedMs >= late.beganMs) continue;
      const message = judge(early, late);
      if (message !== undefined) return finding(message, early, late);
    }
  return undefined;
}

type Refresh = KnownCall & { readonly asked: { readonly kind: 'refresh'; readonly token: string } };

function refreshes(calls: readonly KnownCall[]): readonly Refresh[] {
  return calls.filter((call): call is Refresh => call.asked.kind === 'refresh');
}

function isOk({ result }: KnownCall): boolean {
  return result.status === 'OK';
}

function isRevocation({ asked, result }: KnownCall): boolean {
  if (result.status === 'THEFT') return true;
  return result.status === 'OK' && /^(?:revoke|sign-out)/.test(asked.kind);
}

/** Returns whether a call with this response must have found the session in the store. */
function asksStore({ asked }: Call): boolean {
  switch (asked.kind) {
    case 'request':
      return asked.checksDatabase || asked.token.isOfRefresh;
    case 'refresh':
    case 'claim-by-token':
    case 'merge':
    case 'claim':
    case 'read':
    case 'revoke':
    case 'revoke-user':
      return true;
    case 'sign-in':
    case 'sign-out':
    case 'revoke-all':
      return false;
  }
}

function afterDatabase({ known }: Facts): Finding {
  return firstPair(
    known.filter(isRevocation).filter(({ result }) => result.status !== 'THEFT'),
    known.filter(asksStore).filter(isOk),
    ({ asked }, late) => `a ${late.asked.kind} that began after the response to a ${asked.kind} succeeded`,
  );
}

/** A request that is served from memory: refused at once where the revocation was confirmed, and at the others within the bound. */
function afterFeed({ known, history }: Facts): Finding {
  const served = known.filter((call) => call.asked.kind === 'request' && !asksStore(call)).filter(isOk);
  return firstPair(known.filter(isRevocation), served, (early, late) => {
    const lateMs = late.beganMs - early.endedMs;
    if (early.instance === late.instance)
      return `the instance that confirmed a revocation accepts the session ${lateMs.toFixed(0)} ms later`;
    return lateMs > history.rules.feedBoundMs
      ? `a request is accepted ${lateMs.toFixed(0)} ms after the response to a revocation`
      : undefined;
  });
}

/** Returns the refresh token that was surely current, or older, at the end of a call that succeeded. */
function usedGeneration({ asked }: KnownCall, generation: Facts['generation']): number | undefined {
  switch (asked.kind) {
    case 'refresh':
      return generation(asked.token);
    case 'request':
    case 'claim-by-token':
      return asked.token.isOfRefresh ? generation(asked.token.of) : undefined;
    default:
      return undefined;
  }
}

function extension(call: KnownCall, facts: Facts): string | undefined {
  const { asked, result, clock } = call;
  const { rules, calls } = facts.history;
  const signIn = calls.find((each) => each.asked.kind === 'sign-in');
  const end = absoluteEnd(signIn, rules.absoluteMs)?.latest ?? Number.POSITIVE_INFINITY;
  if (result.status !== 'OK') return undefined;
  if (asked.kind !== 'sign-out' && 'token' in asked && typeof asked.token !== 'string')
    if (clock.earliest > asked.token.expiresAtMs) return 'an access token is accepted after its end';
  if (clock.earliest > end && asksStore(call) && !asked.kind.startsWith('revoke'))
    return 'the session outlives its absolute end';
  const given = result.accessToken;
  if (given === undefined) return undefined;
  if (given.expiresAtMs > end) return 'an access token outlives the absolute end of its session';
  const presented = 'token' in asked && typeof asked.token !== 'string' ? asked.token : undefined;
  const gainedMs = given.expiresAtMs - (presented?.expiresAtMs ?? 0);
  if (gainedMs > 0 && given.expiresAtMs > clock.latest + rules.accessValidityMs)
    return 'an access token lives longer than a whole validity from now';
  if (presented === undefined) return undefined;
  return gainedMs > 0 && !canPromote(call, presented, facts)
    ? `an access token was exchanged for one that lives ${gainedMs / 1000} s longer, without a promotion`
    : undefined;
}

/** Returns whether the use of an access token can have made its refresh token current: nothing did before. */
function canPromote(call: KnownCall, token: AccessToken, { known, generation }: Facts): boolean {
  const own = generation(token.of);
  return (
    token.isOfRefresh &&
    !known.some(
      (each) => each.endedMs < call.beganMs && isOk(each) && (usedGeneration(each, generation) ?? -1) >= own,
    )
  );
}
