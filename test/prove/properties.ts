import { decideRefresh } from '../../lib/core/embedded/refresh-rotation.js';
import { ACCESS_VALIDITY_MS, REFRESH_VALIDITY_MS } from './instance.js';
import type { OperationResponse, Operation } from './operations.js';
import type { Tokens } from './tokens.js';
import type { Open, State, Violation } from './state.js';
import { nowOf } from './state.js';
import { isInGrace, type Rules } from './spec.js';

/** An operation that has just ended. */
export interface Ended {
  readonly open: Open;
  readonly operation: Operation;
  readonly response: OperationResponse;
}

interface Step {
  readonly before: State;
  readonly after: State;
  readonly ended: Ended | undefined;
  readonly rules: Rules;
  readonly tokens: Tokens;
}

type Property = (step: Step) => string | undefined;

/** The properties of a session, each looked at after every step. They use neither the rules' responses nor each other. */
export const PROPERTIES: Readonly<Record<string, Property>> = {
  'P1 one live line': ({ after, rules, tokens }) => {
    const { row, line, session } = after;
    if (row === undefined || session === undefined) return undefined;
    const now = nowOf(after);
    const accepted = line.flatMap((token, generation) => {
      const parent = line[generation - 1];
      const presented = {
        hash2: tokens.hash2(token),
        parentRefreshTokenHash1: parent === undefined ? undefined : tokens.hash1(parent),
      };
      const decision = decideRefresh(row, presented, now, rules.gracePeriodMs);
      return decision === 'THEFT' || decision === 'UNKNOWN_SESSION' ? [] : [generation];
    });
    const first = isInGrace(session, session.current - 1, now, rules) ? session.current - 1 : session.current;
    const foreign = accepted.filter((n) => n < first || n > session.current + 1);
    return foreign.length === 0
      ? undefined
      : `refresh tokens ${foreign.join(', ')} are accepted beside the line of token ${session.current}`;
  },

  'P2 no life after a confirmed revocation': ({ after, ended }) => {
    if (after.isRevoked && after.row !== undefined) return 'the revoked session is in the store again';
    if (ended?.open.beganRevoked !== true || ended.response.status !== 'OK') return undefined;
    const { kind } = ended.operation;
    if (kind === 'refresh' || kind === 'regenerate' || kind === 'merge' || kind === 'claim')
      return `a ${kind} that began after the response to a revocation succeeded`;
    return ended.response.accessToken === undefined
      ? undefined
      : 'a verification that began after the response to a revocation gave a new access token';
  },

  'P3 the owner alone is no thief': ({ before, ended, rules }) => {
    if (ended?.response.status !== 'THEFT' || ended.open.actor !== 'owner' || before.isThiefKnown)
      return undefined;
    // Without turns, a tab that comes later than the grace period, or a whole generation late, is a second party.
    if (rules.gracePeriodMs > 0 && !isTimely(ended, before, rules)) return undefined;
    return 'the owner is called a thief, and nobody else has used a token';
  },

  'P4 the second party is found': ({ before, after, ended, rules }) => {
    if (ended?.response.status === 'THEFT' && after.row !== undefined)
      return 'a theft was reported, and the session goes on';
    if (ended?.operation.kind !== 'refresh' || ended.response.status !== 'OK') return undefined;
    const { open, operation } = ended;
    const generation = before.line.indexOf(operation.token);
    if (generation >= open.beganAt) return undefined;
    const { session } = before;
    const inGrace =
      rules.gracePeriodMs > 0 &&
      generation === open.beganAt - 1 &&
      (session === undefined || (session.rotatedAtMs ?? 0) + rules.gracePeriodMs >= open.startedMs);
    return inGrace
      ? undefined
      : `refresh token ${generation} got a successor, though token ${open.beganAt} had been used before`;
  },

  'P5 one token, one successor': ({ before, ended }) => {
    if (ended?.operation.kind !== 'refresh' || ended.response.status !== 'OK') return undefined;
    const generation = before.line.indexOf(ended.operation.token);
    const known = before.line[generation + 1];
    const given = ended.response.refreshToken;
    return known === undefined || known === given
      ? undefined
      : `refresh token ${generation} has two successors, ${known} and ${given}`;
  },

  'P6 limits are never extended': ({ before, after, ended, rules, tokens }) => {
    const end = rules.endsAtMs ?? Number.POSITIVE_INFINITY;
    const { session } = after;
    if (session !== undefined && session.expiresAtMs > end) return 'the session outlives its absolute end';
    if (session !== undefined && session.expiresAtMs > nowOf(after) + REFRESH_VALIDITY_MS)
      return 'the session lives longer than a whole validity from now';
    if (before.session !== undefined && session !== undefined && before.session.current === session.current)
      if (session.expiresAtMs !== before.session.expiresAtMs)
        return 'the end of the session moved without a promotion';
    const given = ended?.response.accessToken;
    if (ended === undefined || given === undefined) return undefined;
    const { expiryMs } = tokens.info(given);
    if (expiryMs > end) return 'an access token outlives the absolute end of its session';
    if (expiryMs > nowOf(after) + ACCESS_VALIDITY_MS)
      return 'an access token lives longer than a whole validity from now';
    const { operation, open } = ended;
    const isExchange = operation.kind === 'verify' || operation.kind === 'regenerate';
    return isExchange && !open.hasPromoted && expiryMs > tokens.info(operation.token).expiryMs
      ? `an access token was exchanged for one that lives ${(expiryMs - tokens.info(operation.token).expiryMs) / 1000} s longer, without a promotion`
      : undefined;
  },

  'P7 every merge survives': ({ after }) => {
    if (after.session === undefined) return undefined;
    const { data, claims } = after.session;
    const lost = [
      ...after.merged.filter((name) => !data.includes(name)),
      ...after.claimed.filter((name) => !claims.includes(name)),
    ];
    return lost.length === 0 ? undefined : `${lost.join(', ')} was confirmed and is not stored`;
  },
};

export function violations(step: Step): Violation | undefined {
  for (const [property, holds] of Object.entries(PROPERTIES)) {
    const message = holds(step);
    if (message !== undefined) return { property, message };
  }
  return undefined;
}

function isTimely({ operation }: Ended, { line, session, ...state }: State, rules: Rules): boolean {
  if (operation.kind !== 'refresh' || session === undefined) return false;
  return isInGrace(session, line.indexOf(operation.token), nowOf(state), rules);
}
