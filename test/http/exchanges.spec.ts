import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { HttpExchange } from '../../lib/util/http-exchange.js';
import { SERVER_KINDS, responseOf } from '../support/wire-server.js';
import { ExpressResponse } from '../../lib/http/exchanges.js';
import { FastifyResponse } from '../../lib/http/exchanges.js';
import { createExchange, isRequest, isResponse } from '../../lib/http/exchanges.js';
import { getExchange } from '../../lib/sessions/request-state.js';

describe.each(SERVER_KINDS)('the exchange on %s', (kind) => {
  it('is the one for the framework, the same for the same response, and is not wrapped again', async () => {
    await responseOf(kind, (exchange, { req, res }) => {
      expect(exchange.response).toBeInstanceOf(kind === 'fastify' ? FastifyResponse : ExpressResponse);
      expect(getExchange(req, res)).toBe(exchange);
      const again = getExchange(exchange.request, exchange.response);
      expect(again.request).toBe(exchange.request);
      expect(again.response).toBe(exchange.response);
      expect([exchange.request.original, exchange.response.original]).toEqual([req, res]);
    });
  });

  it.each([
    ['Object.create', (req: object): object => Object.create(req) as object],
    ['a copy', (req: object): object => ({ ...req, headers: {}, method: 'GET', url: '/' })],
  ])('is not that of the request from which another one was made, by %s', async (_how, derive) => {
    await responseOf(kind, (exchange, { req, res }) => {
      const derived = Object.assign(derive(req as object), { headers: { authorization: 'Bearer other' } });
      const other = getExchange(derived, res);
      expect(other).not.toBe(exchange);
      expect(other.request.getHeaderValue('authorization')).toBe('Bearer other');
      expect(getExchange(derived, res)).toBe(other);
      expect(getExchange(req, res)).toBe(exchange);
    });
  });

  it('reads method, URL with its query, headers and cookies', async () => {
    const headers = { 'St-Auth-Mode': 'Cookie', cookie: ['a=1', 'a=2; b="x%20y"'], rid: '' };
    await responseOf(
      kind,
      ({ request }) => {
        expect(request.getMethod()).toBe('post');
        expect(request.getOriginalURL()).toBe('/mounted/orders?page=2');
        expect(request.getHeaderValue('ST-AUTH-MODE')).toBe('Cookie');
        expect(request.getHeaderValue('rid')).toBe('');
        expect(request.getHeaderValue('anti-csrf')).toBeUndefined();
        expect(request.getCookieValue('a')).toBe('1');
        expect(request.getCookieValue('b')).toBe('x y');
      },
      { method: 'POST', path: '/mounted/orders?page=2', headers },
    );
  });

  it('sets, replaces and removes headers', async () => {
    const received = await responseOf(kind, ({ response }) => {
      response.setHeader('x-one', 'a');
      response.setHeader('X-One', 'b');
      response.setHeader('x-gone', 'c');
      response.removeHeader('x-gone');
      expect(response.getHeaderValues('X-ONE')).toEqual(['b']);
      expect(response.getHeaderValues('x-gone')).toEqual([]);
    });
    expect(received.lines('x-one')).toEqual(['b']);
    expect(received.lines('x-gone')).toEqual([]);
  });

  it('writes one Set-Cookie line per value and does not pile them up', async () => {
    const received = await responseOf(kind, ({ response }) => {
      response.setHeader('Set-Cookie', ['a=1']);
      response.setHeader('Set-Cookie', ['b=1', 'c=1']);
      expect(response.getHeaderValues('set-cookie')).toEqual(['b=1', 'c=1']);
    });
    expect(received.lines('set-cookie')).toEqual(['b=1', 'c=1']);
  });

  it('sends JSON with the status, and only the first time', async () => {
    const received = await responseOf(kind, ({ response }) => {
      expect(response.isSent).toBe(false);
      response.setStatusCode(403);
      response.sendJSONResponse({ message: 'größer' });
      response.setStatusCode(200);
      response.sendJSONResponse({ second: true });
      expect(response.isSent).toBe(true);
    });
    expect(received.status).toBe(403);
    expect(received.lines('content-type')).toEqual(['application/json; charset=utf-8']);
    expect(received.body).toBe('{"message":"größer"}');
  });

  it('refuses to change headers of a response that has left', async () => {
    await responseOf(kind, ({ response }) => {
      response.sendJSONResponse({});
      expect(() => response.setHeader('st-access-token', 'x')).toThrow(/sent/);
    });
  });
});

describe('choosing an exchange', () => {
  const req = { method: 'GET', headers: {} };

  it.each([
    ['nothing', undefined, undefined],
    ['no response', req, undefined],
    ['an empty response', req, {}],
    [
      'no request',
      undefined,
      { setHeader: () => {}, getHeader: () => {}, removeHeader: () => {}, end: () => {} },
    ],
    ['a GraphQL context instead of a request', { req }, {}],
  ])('refuses %s and says what to pass', (_case, request, response) => {
    const choose = () => getExchange(request && { ...request }, response && { ...response });
    expect(choose).toThrow(TypeError);
    expect(choose).toThrow('@Req()');
  });

  it('does not reuse the exchange of another request', () => {
    const res = { setHeader: () => {}, getHeader: () => undefined, removeHeader: () => {}, end: () => {} };
    const first = getExchange(req, res);
    const other = { method: 'GET', headers: {} };
    expect(getExchange(req, res)).toBe(first);
    expect(getExchange(other, res).request.original).toBe(other);
  });

  it('takes objects that speak the port themselves, for other frameworks', () => {
    const mine = {
      request: {
        original: undefined,
        getMethod: () => 'get',
        getOriginalURL: () => '/',
        getHeaderValue: () => undefined,
        getCookieValue: () => undefined,
      },
      response: {
        original: undefined,
        isSent: false,
        getHeaderValues: () => [],
        setHeader: () => {},
        removeHeader: () => {},
        setStatusCode: () => {},
        sendJSONResponse: () => {},
      },
    } satisfies HttpExchange;
    expect(getExchange(mine.request, mine.response)).toEqual(mine);
  });
});

describe('the shapes of requests and responses', () => {
  const nothing = (): undefined => undefined;
  const port = {
    getMethod: nothing,
    getOriginalURL: nothing,
    getHeaderValue: nothing,
    getCookieValue: nothing,
  };
  const portResponse = {
    getHeaderValues: nothing,
    setHeader: nothing,
    removeHeader: nothing,
    setStatusCode: nothing,
    sendJSONResponse: nothing,
  };
  const express = { getHeader: nothing, setHeader: nothing, removeHeader: nothing, end: nothing };
  const raw = { getHeader: nothing, removeHeader: nothing };
  const fastify = {
    header: nothing,
    getHeader: nothing,
    removeHeader: nothing,
    code: nothing,
    send: nothing,
    raw,
  };
  class Reply {
    header = nothing;
    getHeader = nothing;
    removeHeader = nothing;
    code = nothing;
    send = nothing;
    raw = raw;
  }
  const req = { method: 'GET', headers: {} };

  /** The class of the reply that came last is remembered. */
  beforeEach(() => void createExchange(req, new Reply()));

  it.each<[what: string, value: unknown, asRequest: boolean, asResponse: boolean]>([
    ['a request of Node', new IncomingMessage(new Socket()), true, false],
    ['a response of Node', new ServerResponse(new IncomingMessage(new Socket())), false, true],
    ['a request of Express or Fastify', req, true, false],
    ['one without headers', { method: 'GET' }, false, false],
    ['one with a text of headers', { method: 'GET', headers: 'a' }, false, false],
    ['one with null for headers', { method: 'GET', headers: null }, false, false],
    ['one without a method', { headers: {} }, false, false],
    ['a request of the port', port, true, false],
    ['one without cookies', { ...port, getCookieValue: undefined }, false, false],
    ['a response of the port', portResponse, false, true],
    ['one that sends nothing', { ...portResponse, sendJSONResponse: undefined }, false, false],
    ['a response of Express', express, false, true],
    ['one without an end', { ...express, end: undefined }, false, false],
    ['a reply of Fastify', fastify, false, true],
    ['one without the raw response', { ...fastify, raw: undefined }, false, false],
    ['one whose raw response is another', { ...fastify, raw: { getHeader: nothing } }, false, false],
    ['one without a status', { ...fastify, code: undefined }, false, false],
    ['nothing', undefined, false, false],
    ['null', null, false, false],
    ['a text', 'GET', false, false],
  ])('are known: %s', (_, value, asRequest, asResponse) => {
    expect([isRequest(value), isResponse(value)]).toEqual([asRequest, asResponse]);
  });

  it('make the exchange of their framework', () => {
    expect(createExchange(req, fastify)).toHaveProperty('response', expect.any(FastifyResponse));
    expect(createExchange(req, express)).toHaveProperty('response', expect.any(ExpressResponse));
    expect(createExchange(port, portResponse)).toEqual({ request: port, response: portResponse });
    for (const reply of [new Reply(), new Reply()])
      expect(createExchange(req, reply)).toHaveProperty('response', expect.any(FastifyResponse));
    expect(createExchange(req, express)).toHaveProperty('response', expect.any(ExpressResponse));
    expect(() => createExchange({}, new Reply())).toThrow(
      /^The request is not one of Express, Fastify or node:http\. Pass what .*@Res\(\{ passthrough: true \}\)/,
    );
    expect(() => createExchange(req, {})).toThrow(/^The response is not one of/);
    const incoming = Object.assign(new IncomingMessage(new Socket()), { method: 'GET' });
    expect(() => createExchange(incoming, {})).toThrow(/^The response is not one of/);
    expect(() => createExchange({}, new ServerResponse(incoming))).toThrow(/^The request is not one of/);
    expect(() => createExchange(port, {})).toThrow(/^The request is not one of/);
  });
});

describe('the response of an exchange', () => {
  const plain = { statusCode: 200, headersSent: false, writableEnded: false };
  const noting = () => {
    const headers: Record<string, unknown> = {};
    const ended: unknown[] = [];
    return {
      headers,
      ended,
      getHeader: (name: string) => headers[name.toLowerCase()] as string,
      setHeader: (name: string, value: unknown) => (headers[name.toLowerCase()] = value),
      removeHeader: (name: string) => delete headers[name.toLowerCase()],
      end: (text?: string) => ended.push(text),
    };
  };

  it.each([
    [{}, false],
    [{ headersSent: true }, true],
    [{ writableEnded: true }, true],
  ])('of Express has left with %j: %s, and then nothing is sent', (state, isSent) => {
    const res = { ...plain, ...noting(), ...state };
    const response = new ExpressResponse(res);
    expect(response.isSent).toBe(isSent);
    response.setStatusCode(418);
    response.sendJSONResponse({ a: 'ü' });
    expect([res.statusCode, res.ended]).toEqual(isSent ? [200, []] : [418, ['{"a":"ü"}']]);
    expect(res.headers['content-length']).toBe(isSent ? undefined : '10');
  });

  it('of Express has an empty body where there is nothing to say', () => {
    const res = { ...plain, ...noting() };
    new ExpressResponse(res).sendJSONResponse(undefined);
    expect([res.ended, res.headers['content-length']]).toEqual([[''], '0']);
  });

  it('has its lines as texts', () => {
    const res = { ...plain, ...noting() };
    const response = new ExpressResponse(res);
    res.setHeader('content-length', 7);
    res.setHeader('set-cookie', ['a', 1]);
    res.setHeader('vary', 'Origin');
    expect(
      ['content-length', 'set-cookie', 'vary', 'x'].map((name) => response.getHeaderValues(name)),
    ).toEqual([['7'], ['a', '1'], ['Origin'], []]);
  });

  it.each([
    [{}, {}, false],
    [{ sent: true }, {}, true],
    [{}, { headersSent: true }, true],
  ])('of Fastify has left with %j and %j: %s', (ofReply, ofRaw, isSent) => {
    const raw = { ...noting(), headersSent: false, ...ofRaw };
    const sent: string[] = [];
    const reply = {
      ...noting(),
      raw,
      sent: false,
      header: () => reply,
      code: () => reply,
      send: (text: string) => sent.push(text),
      ...ofReply,
    };
    const response = new FastifyResponse(reply);
    expect(response.isSent).toBe(isSent);
    response.sendJSONResponse({ first: true });
    response.sendJSONResponse({ second: true });
    expect(response.isSent).toBe(true);
    expect(sent).toEqual(isSent ? [] : ['{"first":true}']);
    const message = 'Cannot change header x-a: the response has already been sent';
    expect(() => response.setHeader('x-a', 'b')).toThrow(message);
    expect(() => response.removeHeader('x-a')).toThrow(message);
  });
});
