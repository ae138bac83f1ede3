/**
 * The value of a comma-separated header after adding items. What is there stays as it is, in front; an item that is
 * already listed, in any letter case, is not repeated.
 *
 * @param existing the header's present values, one per line
 * @see docs/protocol/sdk.md §3.4, Q5
 */
export function appendToHeaderList(existing: readonly string[], items: readonly string[]): string {
  if (existing.length === 0) return items.join(', ');
  const kept = existing.filter((line) => line.trim() !== '');
  const listed = new Set(kept.flatMap((line) => line.split(',')).map((item) => item.trim().toLowerCase()));
  return [...kept, ...items.filter((item) => !listed.has(item.toLowerCase()))].join(', ');
}
