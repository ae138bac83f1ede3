/**
 * Returns the items that must go before one more fits.
 *
 * @param oldestFirst what is there, the oldest first
 * @param max how many there may be with the new one; at least 1
 */
export function selectSurplus<T>(oldestFirst: readonly T[], max: number): readonly T[] {
  return oldestFirst.slice(0, Math.max(0, oldestFirst.length - max + 1));
}
