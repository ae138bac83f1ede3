import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { HttpResponse } from '../util/http-exchange.js';
import { ExpressResponse } from './exchanges.js';
import { watchLines, type HeaderLine } from './take-back.js';
import { writeLines } from './written-headers.js';

const TOKEN: HeaderLine = ['St-Access-Token', 'token'];
const COOKIE: HeaderLine = ['Set-Cookie', 's=1'];
const SENSITIVE = Symbol('sensitive headers');

/** A response with the methods of Node's, which notes what it is told to send. */
class RawResponse {
  readonly headers = new Map<string, unknown>();
  readonly written: unknown[][] = [];
  stream: { respond?: (...input: unknown[]) => unknown } | undefined;

  getHeader(name: string): unknown {
    return this.headers.get(name.toLowerCase());
  }

  setHeader(name: string, value: unknown): void {
    this.headers.set(name.toLowerCase(), value);
  }

  removeHeader(name: string): void {
    this.headers.delete(name.toLowerCase());
  }

  writeHead(...input: unknown[]): this {
    this.written.push(input);
    return this;
  }
}

/** A response with a header and a cookie on it, which have become stale. */
function staleResponse({ isStale = (): boolean => true } = {}) {
  const raw = new RawResponse();
  raw.setHeader('St-Access-Token', 'token');
  raw.setHeader('Set-Cookie', ['theme=dark', 's=1']);
  watchLines({ original: raw } as unknown as HttpResponse, [TOKEN, COOKIE], isStale);
  return raw;
}

describe('lines that have become stale when a response leaves', () => {
  it('are taken out of the headers that were set before, and others stay', () => {
    const raw = staleResponse();
    expect(raw.writeHead(200)).toBe(raw);
    expect(raw.written).toEqual([[200]]);
    expect(Object.fromEntries(raw.headers)).toEqual({ 'set-cookie': ['theme=dark'] });
  });

  it('leave as they are where they are not stale', () => {
    const raw = staleResponse({ isStale: () => false });
    const headers = { 'st-access-token': 'token' };
    raw.writeHead(200, headers);
    expect(raw.written[0]?.[1]).toBe(headers);
    expect(Object.fromEntries(raw.headers)).toEqual({
      'st-access-token': 'token',
      'set-cookie': ['theme=dark', 's=1'],
    });
  });

  it('are looked at when the response leaves, and not before', () => {
    let hasEnded = false;
    const raw = staleResponse({ isStale: () => hasEnded });
    hasEnded = true;
    raw.writeHead(200);
    expect(raw.getHeader('st-access-token')).toBeUndefined();
  });

  it.each<[how: string, given: unknown, left: unknown]>([
    ['an object', { 'ST-Access-Token': 'token', 'x-a': 'b' }, { 'x-a': 'b' }],
    [
      'an object with lists',
      { 'set-cookie': ['s=1', 'a=1'], n: 7, none: undefined },
      { 'set-cookie': ['a=1'], n: 7, none: undefined },
    ],
    ['an object with lists of which nothing is left', { 'set-cookie': ['s=1'] }, {}],
    ['names and values in turn', ['st-access-token', 'token', 'x-a', 'token'], ['x-a', 'token']],
    ['names and lists in turn', ['set-cookie', ['a=1', 's=1']], ['set-cookie', ['a=1']]],
    [
      'pairs',
      [
        ['Set-Cookie', 's=1'],
        ['Set-Cookie', 'a=1'],
        ['St-Access-Token', 'token'],
      ],
      [['Set-Cookie', 'a=1']],
    ],
    ['nothing', undefined, undefined],
    ['the text of the status', 'OK', 'OK'],
  ])('are taken out of what is passed to writeHead: %s', (_, given, left) => {
    const raw = staleResponse();
    raw.writeHead(200, given);
    expect(raw.written).toStrictEqual([[200, left]]);
  });

  it('are taken out of an object that keeps its other members, symbols too', () => {
    const raw = staleResponse();
    raw.writeHead(200, { 'st-access-token': 'token', a: 'b', [SENSITIVE]: ['a'] });
    const headers = raw.written[0]?.[1] as Record<string | symbol, unknown>;
    expect(new Set(Reflect.ownKeys(headers))).toEqual(new Set(['a', SENSITIVE]));
    expect(headers[SENSITIVE]).toEqual(['a']);
  });

  it('are neither other values of their header, nor their value under another name', () => {
    const raw = staleResponse();
    raw.setHeader('st-access-token', 'another');
    raw.setHeader('x-copy', 'token');
    raw.writeHead(200);
    expect(Object.fromEntries(raw.headers)).toEqual({
      'st-access-token': 'another',
      'x-copy': 'token',
      'set-cookie': ['theme=dark'],
    });
  });

  it('may have been removed meanwhile', () => {
    const raw = staleResponse();
    raw.removeHeader('st-access-token');
    raw.removeHeader('set-cookie');
    raw.writeHead(200);
    expect(raw.headers.size).toBe(0);
  });

  it('are watched once, by the last word about them', () => {
    const raw = new RawResponse();
    const response = { original: raw } as unknown as HttpResponse;
    const { writeHead } = raw;
    watchLines(response, [TOKEN], undefined);
    expect(raw.writeHead).toBe(writeHead);
    watchLines(response, [TOKEN], () => true);
    const watched = raw.writeHead;
    expect(watched).not.toBe(writeHead);
    watchLines(response, [COOKIE], () => true);
    expect(raw.writeHead).toBe(watched);
    watchLines(response, [TOKEN], () => false);
    watchLines(response, [['SET-COOKIE', 's=1']], undefined);
    raw.setHeader('st-access-token', 'token');
    raw.setHeader('set-cookie', 's=1');
    raw.writeHead(200);
    expect(Object.fromEntries(raw.headers)).toEqual({ 'st-access-token': 'token', 'set-cookie': 's=1' });
  });

  it('are taken out of the response of a stream on HTTP/2', () => {
    const raw = new RawResponse();
    const responses: unknown[][] = [];
    const stream = { respond: (...input: unknown[]) => responses.push(input) };
    raw.stream = stream;
    let hasEnded = false;
    watchLines({ original: raw } as unknown as HttpResponse, [TOKEN], () => hasEnded);
    const headers = { 'st-access-token': 'token', a: 'b' };
    stream.respond(headers, { endStream: true });
    hasEnded = true;
    stream.respond(headers, { endStream: true });
    expect(responses[0]?.[0]).toBe(headers);
    expect(responses[1]).toEqual([{ a: 'b' }, { endStream: true }]);
  });

  it.each([undefined, {}])('need no stream that can respond: %j', (stream) => {
    const raw = new RawResponse();
    raw.stream = stream && { ...stream };
    watchLines({ original: raw } as unknown as HttpResponse, [TOKEN], () => true);
    raw.writeHead(200, { 'st-access-token': 'token' });
    expect(raw.written).toEqual([[200, {}]]);
    expect(raw.stream?.respond).toBeUndefined();
  });

  it('leave the refusal of a second head to Node', () => {
    const original = new ServerResponse(new IncomingMessage(new Socket()));
    const response = new ExpressResponse(original);
    response.setHeader('Set-Cookie', ['theme=dark', 's=1']);
    response.setHeader('St-Access-Token', 'token');
    watchLines(response, [TOKEN, COOKIE], () => true);
    original.writeHead(200);
    expect({ ...original.getHeaders() }).toEqual({ 'set-cookie': ['theme=dark'] });
    expect(() => original.writeHead(200)).toThrow('Cannot write headers');
  });

  it('are found on the response that Fastify wraps, and on that of Node', () => {
    const raw = new RawResponse();
    const wrapped = { original: { raw, getHeader: () => undefined } } as unknown as HttpResponse;
    watchLines(wrapped, [TOKEN], () => true);
    raw.writeHead(200, { 'st-access-token': 'token' });
    expect(raw.written).toEqual([[200, {}]]);
    const original = new ServerResponse(new IncomingMessage(new Socket()));
    const response = new ExpressResponse(original);
    writeLines(response, { exposed: [TOKEN], cookies: [{ name: 's', line: 's=1' }] }, () => true);
    expect(original.getHeader('set-cookie')).toEqual(['s=1']);
    original.writeHead(200);
    expect({ ...original.getHeaders() }).toEqual({ 'access-control-expose-headers': 'St-Access-Token' });
  });

  it.each(['writeHead', 'getHeader', 'setHeader', 'removeHeader'])(
    'are not watched on a response of another kind, which has no %s',
    (name) => {
      const raw = Object.assign(new RawResponse(), { [name]: undefined });
      watchLines({ original: raw } as unknown as HttpResponse, [TOKEN], () => true);
      expect(Reflect.get(raw, name)).toBeUndefined();
      expect(Object.getOwnPropertySymbols(raw)).toEqual([]);
    },
  );
});

describe('writing lines', () => {
  function written(lines: Parameters<typeof writeLines>[1], before: Record<string, string[]> = {}) {
    const original = new ServerResponse(new IncomingMessage(new Socket()));
    for (const [name, values] of Object.entries(before)) original.setHeader(name, values);
    writeLines(new ExpressResponse(original), lines);
    return { ...original.getHeaders() };
  }

  it('exposes headers to scripts beside those that are exposed already', () => {
    expect(
      written({ exposed: [['front-token', 'f']] }, { 'access-control-expose-headers': ['x-a'] }),
    ).toEqual({
      'front-token': 'f',
      'access-control-expose-headers': 'x-a, front-token',
    });
  });

  it('adds cookies to those that are there, and replaces those of the same name', () => {
    expect(
      written({ cookies: [{ name: 's', line: 's=2' }] }, { 'set-cookie': ['theme=dark', 's=1'] }),
    ).toEqual({
      'set-cookie': ['theme=dark', 's=2'],
    });
  });

  it('writes nothing where there is nothing to write', () => {
    expect(written({})).toEqual({});
    expect(written({ exposed: [], cookies: [] })).toEqual({});
  });
});
