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

/** A header line that is looked at once more when its response leaves. */
interface WatchedLine {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  readonly isStale: IsStale;
}

/** The watched lines of one response. They are few, and to hash their long values would take longer than to compare them. */
type WatchedLines = WatchedLine[];

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
  if (watched === undefined) return;
  for (const [name, value] of lines) {
    const index = watched.findIndex((line) => isLine(line, name, value));
    if (index >= 0) watched.splice(index, 1);
    if (isStale !== undefined) watched.push({ name: name.toLowerCase(), value, isStale });
  }
}

function watchResponse(raw: RawResponse): WatchedLines {
  const lines: WatchedLines = [];
  Object.defineProperty(raw, LINES, { value: lines });
  const { writeHead } = raw;
  raw.writeHead = function (this: RawResponse, ...input: unknown[]): unknown {
    const stale = staleLines(lines);
    if (stale.length === 0) return writeHead.apply(this, input);
    takeOut(raw, stale);
    return writeHead.apply(
      this,
      input.map((part) => withoutLines(part, stale)),
    );
  };
  wrapHttp2Respond(raw, lines);
  return lines;
}

/** On HTTP/2 a handler can respond by the stream, with headers that it has read from the response. */
function wrapHttp2Respond(raw: RawResponse, lines: WatchedLines): void {
  const stream = readMember(raw, 'stream') as { respond?: (...input: unknown[]) => unknown } | undefined;
  const respond = readMember(stream, 'respond');
  if (stream === undefined || typeof respond !== 'function') return;
  stream.respond = function (this: unknown, ...input: unknown[]): unknown {
    const stale = staleLines(lines);
    return respond.apply(this, stale.length === 0 ? input : input.map((part) => withoutLines(part, stale)));
  };
}

function staleLines(lines: WatchedLines): WatchedLines {
  return lines.filter(({ isStale }) => isStale());
}

/** Takes lines out of the headers that were set before. */
function takeOut(raw: RawResponse, stale: WatchedLines): void {
  for (const { name } of stale) {
    const value = raw.getHeader(name);
    if (value === undefined) continue;
    const kept = withoutValues(name, value, stale);
    if (kept === undefined) raw.removeHeader(name);
    else if (kept !== value) raw.setHeader(name, kept);
  }
}

/** Returns one argument of `writeHead` without the lines: an object, names and values in turn, or pairs of them. */
function withoutLines(part: unknown, stale: WatchedLines): unknown {
  if (isJsonObject(part)) {
    const kept: Record<string, unknown> = { ...part }; // with its symbols, such as that of sensitive headers on HTTP/2
    const names = keptPairs(Object.entries(part), stale);
    for (const name of Object.keys(part)) delete kept[name];
    return Object.assign(kept, Object.fromEntries(names));
  }
  if (!Array.isArray(part)) return part;
  if (Array.isArray(part[0])) return keptPairs(part as (readonly [string, unknown])[], stale);
  const pairs = part.flatMap((name: unknown, n) =>
    n % 2 === 0 ? [[String(name), part[n + 1]] as const] : [],
  );
  return keptPairs(pairs, stale).flat(1);
}

function keptPairs(
  pairs: readonly (readonly [name: string, value: unknown])[],
  stale: WatchedLines,
): [string, unknown][] {
  return pairs.flatMap(([name, value]) => {
    const kept = withoutValues(name, value, stale);
    return kept === undefined && value !== undefined ? [] : [[name, kept] as [string, unknown]];
  });
}

/** @returns the value itself if it holds none of the lines; undefined if nothing is left of it */
function withoutValues(name: string, value: unknown, stale: WatchedLines): unknown {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  const kept = values.filter((each) => !stale.some((line) => isLine(line, name, each)));
  if (kept.length === values.length) return value;
  return kept.length === 0 ? undefined : kept;
}

function isLine(line: WatchedLine, name: string, value: unknown): boolean {
  return line.value === value && line.name === name.toLowerCase();
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
