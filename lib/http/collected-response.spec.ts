import { describe, expect, it } from '@jest/globals';
import { CollectedResponse } from './collected-response.js';

describe('a response that is collected for a framework', () => {
  it('has its lines by names in lower case, without the length of the body', () => {
    const response = new CollectedResponse();
    response.statusCode = 401;
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.setHeader('X-Retry', 7);
    response.setHeader('X-Gone', 'x');
    response.removeHeader('x-gone');
    response.setHeader('Content-Length', '2');
    response.end('{}');
    expect([
      response.getHeader('SET-COOKIE'),
      response.getHeader('x-retry'),
      response.getHeader('X-Gone'),
    ]).toEqual([['a=1', 'b=2'], 7, undefined]);
    expect(response.finish()).toEqual({
      status: 401,
      headers: [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['x-retry', '7'],
      ],
      body: '{}',
    });
  });

  it('is empty and a 200 where nothing was written', () => {
    expect(new CollectedResponse().finish()).toEqual({ status: 200, headers: [], body: '' });
  });

  it('counts as sent once it has a body, and the first body stays', () => {
    const response = new CollectedResponse();
    expect([response.headersSent, response.writableEnded]).toEqual([false, false]);
    response.end();
    expect([response.headersSent, response.writableEnded]).toEqual([true, true]);
    response.end('late');
    response.reopen();
    expect(response.headersSent).toBe(true);
    expect(response.finish().body).toBe('');
  });

  it('counts as sent once it was collected, until it is opened again', () => {
    const response = new CollectedResponse();
    response.finish();
    expect(response.headersSent).toBe(true);
    response.reopen();
    expect([response.headersSent, response.writableEnded]).toEqual([false, false]);
    response.end('{}');
    expect(response.finish().body).toBe('{}');
  });

  it('takes the last look at its lines before they leave', () => {
    const response = new CollectedResponse();
    response.setHeader('x-stale', 'a');
    response.writeHead = () => response.removeHeader('x-stale');
    expect(response.finish().headers).toEqual([]);
  });

  it.each([
    ['a name', 'x y', 'a'],
    ['a value', 'x', 'a\r\nset-cookie: b=1'],
    ['one of several values', 'x', ['a', 'b\nc']],
  ])('refuses what would end a line: %s', (_, name, value) => {
    const response = new CollectedResponse();
    expect(() => response.setHeader(name, value)).toThrow(/Invalid character|valid HTTP token/);
    expect(response.finish().headers).toEqual([]);
  });
});
