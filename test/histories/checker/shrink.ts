import { checkHistory } from './check-history.js';
import type { Call, History, Violation } from './history.js';

/**
 * Returns the history with as few known responses as still show the violation (delta debugging). A call is not taken away: its response is
 * forgotten, so that it may have happened at any time or not at all. So what is shown by the smaller history is true of the whole.
 */
export function shrink(history: History, { property }: Violation): History {
  const signIn = history.calls.filter(({ asked }) => asked.kind === 'sign-in');
  let kept = history.calls.filter(({ asked, result }) => asked.kind !== 'sign-in' && result !== undefined);
  const shows = (calls: readonly Call[]): boolean =>
    checkHistory(remembering(history, [...signIn, ...calls]))?.property === property;
  for (let parts = 2; kept.length > 1;) {
    const size = Math.ceil(kept.length / parts);
    const smaller = Array.from({ length: parts }, (_, n) => [
      ...kept.slice(0, n * size),
      ...kept.slice((n + 1) * size),
    ]).find((calls) => calls.length < kept.length && shows(calls));
    if (smaller !== undefined) {
      kept = smaller;
      parts = Math.max(parts - 1, 2);
    } else if (parts < kept.length) parts = Math.min(parts * 2, kept.length);
    else break;
  }
  return remembering(history, [...signIn, ...kept]);
}

/** Returns the history in which the responses of the other calls are unknown. */
function remembering(history: History, known: readonly Call[]): History {
  const ids = new Set(known.map(({ id }) => id));
  const calls = history.calls.map((call) =>
    ids.has(call.id) ? call : { ...call, endedMs: undefined, result: undefined },
  );
  return { ...history, calls };
}
