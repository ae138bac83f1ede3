import { describe, expect, it } from '@jest/globals';
import { signInContentType, parseSignIn, signInUrl } from './sign-in-request.js';

describe('a sign-in written as text', () => {
  it.each([
    [
      'POST /login {"name":"Ada"}',
      { method: 'POST', path: '/login', body: '{"name":"Ada"}' },
      'application/json',
    ],
    ['put /session []', { method: 'PUT', path: '/session', body: '[]' }, 'application/json'],
    [
      'POST /login name=Ada&x=a b',
      { method: 'POST', path: '/login', body: 'name=Ada&x=a b' },
      'application/x-www-form-urlencoded',
    ],
    ['GET /login?as=Ada', { method: 'GET', path: '/login?as=Ada' }, undefined],
    ['  POST /login\n{"a":\n1}\n', { method: 'POST', path: '/login', body: '{"a":\n1}' }, 'application/json'],
  ])('%s', (text, request, contentType) => {
    expect(parseSignIn(text)).toEqual(request);
    expect(signInContentType(parseSignIn(text))).toBe(contentType);
  });

  it.each([
    '',
    '/login',
    'POST',
    'POST login {"a":1}',
    '{"password":"hunter2"}',
    'POST /login {password:hunter2}',
  ])('refuses %s without repeating it', (text) => {
    expect(() => parseSignIn(text)).toThrow(TypeError);
    expect(() => parseSignIn(text)).not.toThrow('hunter2');
  });

  const API = { origin: 'https://api.shop.io' };

  it.each(['//login', '/\\login', '///login', 'https://evil.example/', '@evil.example', 'login'])(
    'is sent to nobody but the API: not with the path %s',
    (path) => {
      expect(() => signInUrl({ method: 'POST', path, body: 'password=hunter2' }, API)).toThrow(TypeError);
    },
  );

  it('is sent to the path from the root of the API', () => {
    expect(signInUrl({ method: 'POST', path: '/a//b?c=d' }, API)).toBe('https://api.shop.io/a//b?c=d');
  });

  it('keeps the type that was given', () => {
    expect(signInContentType({ method: 'POST', path: '/', body: '{}', contentType: 'text/plain' })).toBe(
      'text/plain',
    );
  });
});
