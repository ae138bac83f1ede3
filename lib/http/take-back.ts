import { ServerResponse } from 'node:http';
import type { HttpResponse } from '../util/http-exchange.js';
import { isJsonObject, readMember } from '../util/json.js';

/** The members that we use of Node's response, which both frameworks write to in the end. */
interface RawResponse {
  writeHead(...input: unknown[]): unknown;
  getHeader(name: string): unknown;
  setHeader(name: string, value: unknown): unknown;
  removeHeader(name: string): void;
}

/** Returns whether a line that was written must not leave after all. */
export type IsStale = () => boolean;

/** Name and value of a header; a header of several lines has several. */
export type HeaderLine = readonly [name: string, value: string];

/** The header lines of one response that are looked at once more when it leaves, by name and value. */
type WatchedLines = Map<string, IsStale>;

const LINES = Symbol('nest-sessions:watched-lines');

/**
 * Looks at header lines once more when the response leaves, and takes out those that have become stale by then. Only responses
 * that carry such lines have this step. It is a step of `writeHead`, through which Node, Express, Fastify and streams all go,
 * with headers that were set before or that are passed to it.
 *
 * @param isStale undefined: the lines are sent in any case, even if they were watched before
 */
export function watchLines(
  response: HttpResponse,
  lines: readonly HeaderLine[],
  isStale: IsStale | undefined,
): void {
  const raw = findRawResponse(response);
  if (raw === undefined) return;
  const known = (raw as { [LINES]?: WatchedLines })[LINES];
  const watched = isStale === undefined ? known : (known ?? watchResponse(raw));
  for (const [name, value] of lines) {
    if (isStale === undefined) watched?.delete(lineKey(name, value));
    else watched?.set(lineKey(name, value), isStale);
  }
}

function watchResponse(raw: RawResponse): WatchedLines {
  const lines: WatchedLines = new Map();
  Object.defineProperty(raw, LINES, { value: lines, configurable: true });
  const { writeHead } = raw;
  raw.writeHead = function (this: RawResponse, ...input: unknown[]): unknown {
    const stale = new Set<string>();
    for (const [key, isStale] of lines) if (isStale()) stale.add(key);
    if (stale.size === 0) return writeHead.apply(this, input);
    takeOut(raw, stale);
    return writeHead.apply(
      this,
      input.map((part) => withoutLines(part, stale)),
    );
  };
  return lines;
}

/** Takes lines out of the headers that were set before. */
function takeOut(raw: RawResponse, stale: ReadonlySet<string>): void {
  for (const key of stale) {
    const name = key.slice(0, key.indexOf(':'));
    const value = raw.getHeader(name);
    if (value === undefined) continue;
    const kept = withoutValues(name, value, stale);
    if (kept === undefined) raw.removeHeader(name);
    else if (kept !== value) raw.setHeader(name, kept);
  }
}

/** Returns one argument of `writeHead` without the lines: an object, names and values in turn, or pairs of them. */
function withoutLines(part: unknown, stale: ReadonlySet<string>): unknown {
  if (isJsonObject(part)) return Object.fromEntries(keptPairs(Object.entries(part), stale));
  if (!Array.isArray(part)) return part;
  if (Array.isArray(part[0])) return keptPairs(part as (readonly [string, unknown])[], stale);
  const pairs = part.flatMap((name: unknown, n) =>
    n % 2 === 0 ? [[String(name), part[n + 1]] as const] : [],
  );
  return keptPairs(pairs, stale).flat(1);
}

function keptPairs(
  pairs: readonly (readonly [name: string, value: unknown])[],
  stale: ReadonlySet<string>,
): [string, unknown][] {
  return pairs.flatMap(([name, value]) => {
    const kept = withoutValues(name, value, stale);
    return kept === undefined && value !== undefined ? [] : [[name, kept] as [string, unknown]];
  });
}

/** @returns the value itself if it holds none of the lines; undefined if nothing is left of it */
function withoutValues(name: string, value: unknown, stale: ReadonlySet<string>): unknown {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  const kept = values.filter((each) => typeof each !== 'string' || !stale.has(lineKey(name, each)));
  if (kept.length === values.length) return value;
  return kept.length === 0 ? undefined : kept;
}

function lineKey(name: string, value: string): string {
  return `${name.toLowerCase()}:${value}`;
}

/** Fastify wraps Node's response. */
function findRawResponse({ original }: HttpResponse): RawResponse | undefined {
  if (original instanceof ServerResponse) return original;
  const raw = readMember(original, 'raw') ?? original;
  const methods = ['writeHead', 'getHeader', 'setHeader', 'removeHeader'];
  return methods.every((name) => typeof readMember(raw, name) === 'function')
    ? (raw as RawResponse)
    : undefined;
}
