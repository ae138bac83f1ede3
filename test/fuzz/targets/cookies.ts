import { mergeSetCookie, serialiseCookie } from '../../../lib/http/cookies.js';
import {
  findCookies,
  IncomingRequest,
  percentDecode,
  readAuthorization,
} from '../../../lib/http/incoming-request.js';
import { incomingRequest, readBody } from '../../../lib/http/plain-request.js';
import { WIRE_TEST_TIME_MS } from '../../fixtures/wire-config.js';
import { must, mustEqual, parsedOr, wellFormed, type FuzzTarget } from '../target.js';

const NAMES = ['sAccessToken', 'sRefreshToken', 'st-last-access-token-update'];

/** Requests with headers as Node joins them. */
export function requestWith(
  headers: Readonly<Record<string, string>>,
  method = 'GET',
  url = '/',
): IncomingRequest {
  return new IncomingRequest({ method, url, headers });
}

export const COOKIE_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'cookies',
    seeds: [
      'sAccessToken=a.b.c; sRefreshToken="d%20e"; st-last-access-token-update=1',
      'sAccessToken=1; sAccessToken=2;sAccessToken',
      '%73AccessToken=1; sAccessToken=%zz; =; ;;',
    ],
    run(header) {
      const found = findCookies(header, NAMES);
      must(found.length === NAMES.length, 'there is one result for each name');
      for (const [i, { value, count }] of found.entries()) {
        if (value === undefined) continue;
        must(count >= 1, 'a cookie that is found is counted');
        const [alone] = findCookies(header, [NAMES[i] ?? '']);
        mustEqual(alone, { value, count }, 'a cookie is the same beside others');
        if (/^[ -:<-~]*$/.test(value) && encodeURIComponent(value).length < 4000) assertRoundTrip(value);
      }
      mustEqual(percentDecode(percentDecodeTwice(header)), percentDecodeTwice(header), 'decoding ends');
    },
  },
  {
    name: 'authorization',
    seeds: ['Bearer a.b.c', 'DPoP a.b.c', 'dpop  x ', 'bearer a', 'Bearer '],
    run(header) {
      const found = readAuthorization(requestWith({ authorization: header }));
      if (found === undefined) return;
      must(header.includes(found.token), 'the token is a part of the header');
      must(found.token === found.token.trim(), 'the token has no blanks around it');
      must(
        header.toLowerCase().startsWith(`${found.scheme.toLowerCase()} `),
        'the scheme is that of the header',
      );
    },
  },
  {
    name: 'plain-request',
    seeds: [
      '{"method":"get","url":"/me?a=b","headers":{"Cookie":["a=1","b=2"],"Content-Type":"application/json"},"body":"{}"}',
      '{"method":"POST","url":"/","headers":[["cookie","a"],["cookie","b"]],"ip":"::1","body":"{\\"a\\":1}"}',
    ],
    run(text) {
      const request = parsedOr([SyntaxError], '', () => JSON.parse(text) as unknown);
      if (typeof request !== 'object' || request === null) return;
      const read = parsedOr([TypeError], text, () => incomingRequest(request as never));
      if (read === undefined) return;
      must(Object.getPrototypeOf(read.headers) === null, 'headers inherit nothing');
      must(
        Object.values(read.headers).every((value) => typeof value === 'string'),
        'headers are texts',
      );
      mustEqual(
        Object.keys(read.headers).map((name) => name.toLowerCase()),
        Object.keys(read.headers),
        'names are in lower case',
      );
      const bytes = readBody(Buffer.from(text), 'application/json');
      mustEqual(bytes, readBody(wellFormed(text), 'application/json'), 'bytes and text are read alike');
    },
  },
];

function percentDecodeTwice(text: string): string {
  let decoded = text;
  for (let i = 0; i < 4096 && percentDecode(decoded) !== decoded; i++) decoded = percentDecode(decoded);
  return decoded;
}

function assertRoundTrip(value: string): void {
  const cookie = {
    name: 'sAccessToken',
    value,
    path: '/',
    expires: WIRE_TEST_TIME_MS + 1000,
    httpOnly: true,
    secure: true,
    sameSite: 'lax',
    partitioned: false,
  } as const;
  const line = serialiseCookie(cookie, WIRE_TEST_TIME_MS);
  const [read] = findCookies(line.split('; ', 1)[0] ?? '', [cookie.name]);
  mustEqual(read, { value, count: 1 }, 'what is written is read');
  mustEqual(mergeSetCookie([line], line, cookie.name), [line], 'a cookie replaces itself');
}
