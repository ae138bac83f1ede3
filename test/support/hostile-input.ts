import fc from 'fast-check';

/** A guarded path in spellings that routers and proxies read in different ways. */
export const spelledPath = fc
  .record({
    path: fc.constantFrom('me', 'checked', 'with-anti-csrf', 'run/x'),
    before: fc.constantFrom(
      '/',
      '//',
      '/./',
      '/x/../',
      '/%2e/',
      '/public/../',
      '/;/',
      '/\\',
      '/%2f',
      '/public;/../',
      'http://h.example/',
    ),
    after: fc.constantFrom(
      '',
      '/',
      '//',
      '/.',
      ';x=1',
      '%2f',
      '%20',
      '%00',
      '?x',
      '#x',
      '/..;/me',
      '.json',
      '%3f',
      '\\',
    ),
    letters: fc.constantFrom('same', 'upper', 'encoded', 'double encoded'),
    index: fc.nat(1),
  })
  .map(({ path, before, after, letters, index }) => {
    const code = path.charCodeAt(index).toString(16);
    const spelled = {
      same: path,
      upper: path.toUpperCase(),
      encoded: `${path.slice(0, index)}%${code}${path.slice(index + 1)}`,
      'double encoded': `${path.slice(0, index)}%25${code}${path.slice(index + 1)}`,
    };
    return before + spelled[letters] + after;
  });

/** Routes of the demo application, and the module's own. */
export const routes = fc.constantFrom(
  { method: 'GET', path: '/me' },
  { method: 'POST', path: '/me' },
  { method: 'GET', path: '/optional' },
  { method: 'GET', path: '/checked' },
  { method: 'POST', path: '/auth/session/refresh' },
  { method: 'POST', path: '/auth/signout' },
  { method: 'GET', path: '/auth/jwt/jwks.json' },
);

/** Headers as no client sends them, some of them with a good token. */
export function mangledHeaders(token: string): fc.Arbitrary<Record<string, string | string[]>> {
  const latin1 = fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 40,
  });
  const value = fc.oneof(
    latin1,
    fc.constantFrom(
      '',
      ' ',
      token,
      `${token}x`,
      `"${token}"`,
      'j:{"a":1}',
      'j:[',
      '%E0%A4%A',
      '%',
      '\u00ff\u00fe\u00c0\u00af',
      '=;=',
      ',',
      'a'.repeat(9000),
      'null',
      '[object Object]',
    ),
  );
  const cookieName = fc.constantFrom(
    'sAccessToken',
    'sRefreshToken',
    'sIdRefreshToken',
    '__proto__',
    'constructor',
    '',
    ' ',
    'sAccessToken ',
    'SACCESSTOKEN',
    'toString',
  );
  const cookie = fc
    .array(fc.tuple(cookieName, value), { maxLength: 6 })
    .map((pairs) => pairs.map(([name, each]) => `${name}=${each}`).join('; '));
  const authorization = fc
    .tuple(fc.constantFrom('Bearer ', 'bearer ', 'Bearer', 'Basic ', 'Bearer Bearer ', ''), value)
    .map(([scheme, each]) => scheme + each);
  const single = fc.record(
    {
      authorization,
      cookie,
      rid: value,
      'anti-csrf': value,
      'st-auth-mode': value,
      'fdi-version': value,
      host: fc.constantFrom('', 'x', '[::1]'),
      origin: value,
      ['__proto__']: value,
      constructor: value,
    },
    { requiredKeys: [] },
  );
  return fc
    .tuple(single, fc.boolean())
    .map(([headers, isRepeated]) =>
      Object.fromEntries(
        Object.entries(headers).map(([name, each]) => [
          name,
          isRepeated && name !== 'host' ? [each, each] : each,
        ]),
      ),
    )
    .filter((headers) => JSON.stringify(headers).length < 12_000); // beyond 16 kB Node hangs up by itself
}
