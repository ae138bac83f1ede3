import type { EngineRules } from './instance.js';
import { ACCESS_VALIDITY_MS, REFRESH_VALIDITY_MS } from './instance.js';

/** How often each party may act. Everything else, above all the order, is free. */
export interface Budget {
  readonly owner: number;
  readonly thief: number;
  readonly admin: number;
  readonly sweeper: number;
  readonly crashes: number;
  /** Calls of the store that fail before or after they were done, and responses that do not arrive. */
  readonly losses: number;
  /** Steps of the clock. */
  readonly time: number;
}

export type OwnerAct = 'refresh' | 'verify' | 'verify-database' | 'regenerate' | 'merge';
export type AdminAct = 'revoke' | 'revoke-user' | 'claim';

/** A bounded model: who takes part, what they may do, and how often. */
export interface Scenario extends EngineRules {
  readonly name: string;
  readonly title: string;
  readonly budget: Budget;
  readonly owner: readonly OwnerAct[];
  readonly admin: readonly AdminAct[];
  /** Whether the tabs of the browser refresh one after the other, as the SuperTokens client does. */
  readonly tabsTakeTurns: boolean;
  /** Milliseconds by which the clock may go on. */
  readonly clock: readonly number[];
  /** The length of the schedules that `npm run prove` tries; default: all there are. */
  readonly depth?: number;
}

const NONE = ['NONE', 'NONE'] as const;

/** To the end of an access token, to the last millisecond of a session, and one beyond. */
const ENDS = [1, ACCESS_VALIDITY_MS, REFRESH_VALIDITY_MS];

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'theft',
    title:
      'two tabs, a thief with a copy of their tokens, an administrator and a sweeper, on two instances that crash',
    gracePeriodSec: 0,
    antiCsrf: NONE,
    budget: { owner: 3, thief: 2, admin: 1, sweeper: 1, crashes: 1, losses: 1, time: 1 },
    owner: ['refresh', 'verify'],
    admin: ['revoke'],
    tabsTakeTurns: true,
    clock: [REFRESH_VALIDITY_MS + 1],
    depth: 12,
  },
  {
    name: 'alone',
    title: 'two tabs of the owner alone, with every loss: lost responses, lost calls of the store, crashes',
    gracePeriodSec: 0,
    antiCsrf: NONE,
    budget: { owner: 4, thief: 0, admin: 0, sweeper: 1, crashes: 1, losses: 2, time: 1 },
    owner: ['refresh', 'verify', 'verify-database'],
    admin: [],
    tabsTakeTurns: true,
    clock: ENDS,
  },
  {
    name: 'grace',
    title: 'two tabs that refresh at the same time, and a thief, with a grace period of 30 seconds',
    gracePeriodSec: 30,
    antiCsrf: NONE,
    budget: { owner: 4, thief: 1, admin: 0, sweeper: 0, crashes: 0, losses: 0, time: 1 },
    owner: ['refresh', 'verify'],
    admin: [],
    tabsTakeTurns: false,
    clock: [30_000, 30_001],
  },
  {
    name: 'rolling',
    title: 'a deployment under way: one instance with anti-CSRF tokens, one without',
    gracePeriodSec: 0,
    antiCsrf: ['VIA_TOKEN', 'NONE'],
    budget: { owner: 3, thief: 1, admin: 0, sweeper: 0, crashes: 1, losses: 1, time: 0 },
    owner: ['refresh', 'verify'],
    admin: [],
    tabsTakeTurns: true,
    clock: [],
  },
  {
    name: 'limits',
    title: 'a session with an absolute end 130 seconds after the sign-in, and every way to exchange a token',
    gracePeriodSec: 0,
    endsAfterSec: 130,
    antiCsrf: NONE,
    budget: { owner: 3, thief: 0, admin: 1, sweeper: 0, crashes: 0, losses: 0, time: 1 },
    owner: ['refresh', 'verify-database', 'regenerate'],
    admin: ['claim'],
    tabsTakeTurns: true,
    clock: [50_000, 100_000],
  },
  {
    name: 'data',
    title: 'merges of session data and payload beside refreshes, and a revocation of the user',
    gracePeriodSec: 0,
    antiCsrf: NONE,
    budget: { owner: 3, thief: 0, admin: 1, sweeper: 0, crashes: 0, losses: 1, time: 1 },
    owner: ['merge', 'refresh', 'regenerate'],
    admin: ['revoke-user', 'claim'],
    tabsTakeTurns: true,
    clock: [REFRESH_VALIDITY_MS],
  },
];

export function scenario(name: string): Scenario {
  const found = SCENARIOS.find((each) => each.name === name);
  if (found === undefined)
    throw new Error(`There is no model ${name}; there are ${SCENARIOS.map((each) => each.name).join(', ')}`);
  return found;
}
