import type { SessionRow } from '../../lib/stores/session-store.js';
import type { Operation } from './operations.js';
import type { Budget } from './scenarios.js';
import type { Session } from './spec.js';

export type Actor = 'owner' | 'thief' | 'admin' | 'sweeper';

/** The newest tokens of a party. */
export interface Purse {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** An operation under way. */
export interface Open {
  /** A number of its own in its schedule, which two equal states may differ in. */
  readonly id: number;
  readonly actor: Actor;
  readonly instance: number;
  /** The place of the real engine in it. */
  readonly place: number;
  readonly startedMs: number;
  /** The responses that the rules allow by now: what they said at any moment since the operation began. */
  readonly possible: readonly string[];
  /** Whether it has changed the session; then its response is settled. */
  readonly hasChanged: boolean;
  /** Whether it made its own refresh token current. */
  readonly hasPromoted: boolean;
  /** Whether a call of the store failed for it, so that it may end in a 503. */
  readonly hadTrouble: boolean;
  /** Whether a revocation had been confirmed when it began. */
  readonly beganRevoked: boolean;
  /** The current generation when it began. */
  readonly beganAt: number;
}

export type Left = Budget;

/** Everything that the future of a schedule depends on. */
export interface State {
  /** The times that the clock has shown, the present last. */
  readonly times: readonly number[];
  readonly row: SessionRow | undefined;
  /** The row as the rules see it. */
  readonly session: Session | undefined;
  /** The refresh tokens of the line by generation; undefined: not given out yet. */
  readonly line: readonly string[];
  /** The tokens of the browser, which its tabs share; undefined: it is signed out. */
  readonly browser: Purse | undefined;
  /** The tokens that the thief has; undefined: none yet. */
  readonly thief: readonly Purse[] | undefined;
  /** Whether the thief has used a token. */
  readonly isThiefKnown: boolean;
  readonly isRevoked: boolean;
  /** Names whose merges were confirmed. */
  readonly merged: readonly string[];
  readonly claimed: readonly string[];
  readonly open: readonly Open[];
  readonly left: Left;
  /** The operations that have begun, for {@link Open.id}. */
  readonly begun: number;
}

/** One step of a schedule, as it is kept in a file. */
export type Choice =
  | {
      readonly do: 'begin';
      readonly actor: Actor;
      /** Its token is a place: `browser`, or the number of the thief's set of tokens. */
      readonly operation: Operation;
      readonly instance: number;
    }
  /** The store does what it is asked, and the engine hears of it (`reply`) or not (`lose`); or it does not do it (`fail`). */
  | { readonly do: 'reply' | 'lose' | 'fail'; readonly open: number }
  /** The response reaches the client, or not. */
  | { readonly do: 'deliver' | 'drop'; readonly open: number }
  | { readonly do: 'crash'; readonly instance: number }
  | { readonly do: 'steal' }
  | { readonly do: 'wait'; readonly ms: number };

/** A property that does not hold after a step. */
export interface Violation {
  readonly property: string;
  readonly message: string;
}

export function nowOf({ times }: Pick<State, 'times'>): number {
  return times.at(-1) ?? 0;
}
