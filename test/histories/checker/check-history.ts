import type { Call, History, Violation } from './history.js';
import { findLegalOrder } from './legal-order.js';
import { findBrokenProperty } from './properties.js';
import type { State } from './session-steps.js';

/** The name of the violation that only the search for a legal order finds. */
export const NO_LEGAL_ORDER = 'a legal order';
/** The search gave up: the history is neither legal nor illegal. */
export const UNDECIDED = 'undecided';

/** Returns the first fault of a history; undefined: every property holds, and there is a legal order of its calls. */
export function checkHistory(history: History): Violation | undefined {
  const broken = findBrokenProperty(history);
  if (broken !== undefined) return broken;
  const order = findLegalOrder(history);
  if (order.kind === 'legal') return undefined;
  if (order.kind === 'too long')
    return { property: UNDECIDED, message: 'the search for a legal order takes too long', calls: [] };
  const stuck = [...new Set(order.stuck)];
  return {
    property: NO_LEGAL_ORDER,
    message: `no order of the calls explains ${stuck.map(named).join(', ')}: at that time ${told(order.state)}`,
    calls: stuck.map(({ id }) => id),
  };
}

function named({ id, asked, result }: Call): string {
  return `call ${id} (${asked.kind}: ${result?.status ?? 'no response'})`;
}

function told(state: State): string {
  if (typeof state === 'string')
    return state === 'ended' ? 'the session has ended' : 'there is no session yet';
  const names = [...state.data, ...state.claims];
  return `refresh token ${state.current} is current, with ${names.length === 0 ? 'nothing' : names.join(', ')} stored`;
}
