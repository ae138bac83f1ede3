import type { HttpResponse } from '../util/http-exchange.js';
import { mergeSetCookie } from './cookies.js';
import { watchLine } from './take-back.js';

/** Returns whether a line that was written must not leave after all. */
export type IsStale = () => boolean;

/** A `Set-Cookie` line and the name of its cookie. */
export interface CookieLine {
  readonly name: string;
  readonly line: string;
}

/** Adds a cookie to a response; it replaces the one of the same name. */
export function setCookie(response: HttpResponse, { name, line }: CookieLine, isStale?: IsStale): void {
  response.setHeader('Set-Cookie', mergeSetCookie(response.getHeaderValues('Set-Cookie'), line, name));
  watchLine(response, 'Set-Cookie', line, isStale);
}

/** Sets a header and lets scripts of other origins read it. */
export function setExposedHeader(
  response: HttpResponse,
  name: string,
  value: string,
  isStale?: IsStale,
): void {
  const expose = 'Access-Control-Expose-Headers';
  response.setHeader(name, value);
  response.setHeader(expose, appendToHeaderList(response.getHeaderValues(expose), [name]));
  watchLine(response, name, value, isStale);
}

/**
 * Returns the value of a comma-separated header after adding items. Present items stay in front, unchanged; an item that
 * is already listed, in any letter case, is not repeated.
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
