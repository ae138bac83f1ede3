import type { HttpResponse } from '../util/http-exchange.js';
import { mergeSetCookie } from './cookies.js';
import { watchLines, type HeaderLine, type IsStale } from './take-back.js';

/** A `Set-Cookie` line and the name of its cookie. */
export interface CookieLine {
  readonly name: string;
  readonly line: string;
}

/** Lines that a response gets together. */
export interface LinesToWrite {
  readonly cookies?: readonly CookieLine[];
  /** Headers that scripts of other origins may read. */
  readonly exposed?: readonly HeaderLine[];
}

const EXPOSE = 'Access-Control-Expose-Headers';

/**
 * Adds lines to a response: a cookie replaces the one of the same name, a header the one before. Lists are read and written once
 * for all lines, because each look at a response is slow under Express.
 */
export function writeLines(
  response: HttpResponse,
  { cookies = [], exposed = [] }: LinesToWrite,
  isStale?: IsStale,
): void {
  for (const [name, value] of exposed) response.setHeader(name, value);
  if (exposed.length > 0) {
    const names = exposed.map(([name]) => name);
    response.setHeader(EXPOSE, appendToHeaderList(response.getHeaderValues(EXPOSE), names));
  }
  if (cookies.length > 0) {
    const before = response.getHeaderValues('Set-Cookie');
    const all = cookies.reduce((lines, { name, line }) => mergeSetCookie(lines, line, name), before);
    response.setHeader('Set-Cookie', all);
  }
  const setCookies = cookies.map(({ line }): HeaderLine => ['Set-Cookie', line]);
  watchLines(response, [...exposed, ...setCookies], isStale);
}

/**
 * Returns the value of a comma-separated header after adding items. Present items stay in front, unchanged; an item that
 * is already listed, in any letter case, is not repeated.
 *
 * @param existing the header's present values, one per line
 * @see docs/protocol/sdk.md §3.4, Q5
 */
export function appendToHeaderList(existing: readonly string[], items: readonly string[]): string {
  const kept = existing.filter((line) => line.trim() !== '');
  const listed = new Set(kept.flatMap((line) => line.split(',')).map((item) => item.trim().toLowerCase()));
  return [...kept, ...items.filter((item) => !listed.has(item.toLowerCase()))].join(', ');
}
