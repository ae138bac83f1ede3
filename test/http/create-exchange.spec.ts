import { describe, expect, it } from '@jest/globals';
import type { HttpExchange } from '../../lib/util/http-exchange.js';
import { SERVER_KINDS, answerOf } from '../support/wire-server.js';
import { ExpressExchange } from '../../lib/http/express-exchange.js';
import { FastifyExchange } from '../../lib/http/fastify-exchange.js';
import { getExchange } from '../../lib/sessions/request-state.js';

describe.each(SERVER_KINDS)('the exchange on %s', (kind) => {
  it('is the one for the framework, the same for the same response, and is not wrapped again', async () => {
    await answerOf(kind, (exchange, { req, res }) => {
      expect(exchange).toBeInstanceOf(kind === 'fastify' ? FastifyExchange : ExpressExchange);
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
    await answerOf(kind, (exchange, { req, res }) => {
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
    await answerOf(
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
    const answer = await answerOf(kind, ({ response }) => {
      response.setHeader('x-one', 'a');
      response.setHeader('X-One', 'b');
      response.setHeader('x-gone', 'c');
      response.removeHeader('x-gone');
      expect(response.getHeaderValues('X-ONE')).toEqual(['b']);
      expect(response.getHeaderValues('x-gone')).toEqual([]);
    });
    expect(answer.lines('x-one')).toEqual(['b']);
    expect(answer.lines('x-gone')).toEqual([]);
  });

  it('writes one Set-Cookie line per value and does not pile them up', async () => {
    const answer = await answerOf(kind, ({ response }) => {
      response.setHeader('Set-Cookie', ['a=1']);
      response.setHeader('Set-Cookie', ['b=1', 'c=1']);
      expect(response.getHeaderValues('set-cookie')).toEqual(['b=1', 'c=1']);
    });
    expect(answer.lines('set-cookie')).toEqual(['b=1', 'c=1']);
  });

  it('sends JSON with the status, and only the first time', async () => {
    const answer = await answerOf(kind, ({ response }) => {
      expect(response.isSent).toBe(false);
      response.setStatusCode(403);
      response.sendJSONResponse({ message: 'größer' });
      response.setStatusCode(200);
      response.sendJSONResponse({ second: true });
      expect(response.isSent).toBe(true);
    });
    expect(answer.status).toBe(403);
    expect(answer.lines('content-type')).toEqual(['application/json; charset=utf-8']);
    expect(answer.body).toBe('{"message":"größer"}');
  });

  it('refuses to change headers of an answer that has left', async () => {
    await answerOf(kind, ({ response }) => {
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
    expect(() => getExchange(request, response)).toThrow(TypeError);
    expect(() => getExchange(request, response)).toThrow('@Req()');
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
