import { describe, expect, it } from '@jest/globals';
import { sessionCorsHeaders, sessionCorsOptions } from './session-cors-headers.js';

describe('CORS for sessions', () => {
  it('lists the request headers of browser clients in a fixed order, and that of proofs (T263, P8)', () => {
    expect(sessionCorsHeaders()).toEqual([
      'rid',
      'fdi-version',
      'anti-csrf',
      'authorization',
      'st-auth-mode',
      'dpop',
    ]);
  });

  it('gives every caller a list of its own', () => {
    sessionCorsHeaders().push('x-mine');
    expect(sessionCorsHeaders()).not.toContain('x-mine');
  });

  it('allows credentials from the listed origins only, and the headers of both sides (S071)', () => {
    expect(
      sessionCorsOptions({ origins: ['https://shop.io'], allowedHeaders: ['X-Trace', 'Content-Type'] }),
    ).toEqual({
      origin: ['https://shop.io'],
      credentials: true,
      allowedHeaders: [
        'content-type',
        'rid',
        'fdi-version',
        'anti-csrf',
        'authorization',
        'st-auth-mode',
        'dpop',
        'x-trace',
      ],
      methods: ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'],
    });
  });

  it.each([
    'https://shop.io',
    'http://localhost:3000',
    'https://127.0.0.1:8443',
    'http://[::1]:3000',
    'https://xn--mnchen-3ya.de',
    'capacitor://localhost',
  ])('takes the origin %s', (origin) => {
    expect(sessionCorsOptions({ origins: [origin] }).origin).toEqual([origin]);
  });

  it.each([
    '*',
    'null',
    '',
    'shop.io',
    'https://*.shop.io',
    'https://shop.io/',
    'https://shop.io/path',
    'https://shop.io?x',
    'https://shop.io:443',
    'https://Shop.io',
    'https://user@shop.io',
    'https://münchen.de',
    'file://',
    '.*://shop.io',
  ])('refuses the origin "%s", names it, and says what is expected (S071)', (origin) => {
    const refused = () => sessionCorsOptions({ origins: ['https://good.io', origin] });
    expect(refused).toThrow(TypeError);
    expect(refused).toThrow(`origins: "${origin}" is not an origin`);
    expect(refused).toThrow('no path, no trailing slash, no wildcard');
  });

  it('refuses a wildcard among the headers and an empty list of origins (S071)', () => {
    expect(() => sessionCorsOptions({ origins: ['https://shop.io'], allowedHeaders: ['*'] })).toThrow(
      new TypeError('allowedHeaders: with credentials "*" is no wildcard; name the headers'),
    );
    expect(() => sessionCorsOptions({ origins: [] })).toThrow(
      new TypeError('origins: expected at least one origin, got an empty list'),
    );
  });
});
