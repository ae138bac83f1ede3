import { describe, expect, it } from '@jest/globals';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { SessionConfig } from '../../lib/options/session-config.js';
import type { TokenTransferMethod } from '../../lib/options/wire-options.js';
import {
  SERVER_KINDS,
  responseOf,
  type NativePair,
  type ServerKind,
  type WireResponse,
  type WireRequest,
} from '../support/wire-server.js';
import { ProcessWarnings } from '../support/process-warnings.js';
import { StoppedClock, WIRE_TEST_TIME_MS, wireConfig } from '../fixtures/wire-config.js';
import { IncomingRequest } from '../../lib/http/incoming-request.js';
import type { TokensToWrite } from '../../lib/http/token-cookies.js';
import { otherMethod, TokenTransport } from '../../lib/http/token-transport.js';
import { appendToHeaderList } from '../../lib/http/written-headers.js';
import { ExpressResponse } from '../../lib/http/exchanges.js';
import type { SessionRequest } from '../../lib/http/session-request.js';
import { createSessionRequest } from '../../lib/http/exchanges.js';
import type { UserContext } from '../../lib/util/user-context.js';

const DAY_MS = 86_400_000;
const IN_A_YEAR = 'Fri, 01 Jan 2027 00:00:00 GMT';
const EPOCH = 'Thu, 01 Jan 1970 00:00:00 GMT';
const TOKENS: TokensToWrite = {
  accessToken: 'aaa.bbb.ccc',
  frontToken: 'ZnJvbnQ=',
  refreshToken: { token: 'r+/=.V2', expiry: WIRE_TEST_TIME_MS + 100 * DAY_MS },
};

const OWNER = { sessionHandle: 'handle-1', mark: 0 };

function transportWith(changes: Partial<SessionConfig> = {}): TokenTransport {
  return new TokenTransport(wireConfig(changes), new StoppedClock());
}

function requestWith(
  headers: Record<string, string>,
  cookies?: unknown,
  userContext: UserContext = {},
): SessionRequest {
  const request = new IncomingRequest({ method: 'GET', url: '/?access_token=in-the-url', headers, cookies });
  const response = new ExpressResponse(new ServerResponse(new IncomingMessage(new Socket())));
  return createSessionRequest({ request, response }, userContext);
}

/** The response to a request during which `act` used the transport. */
function responseTo(
  kind: ServerKind,
  act: (transport: TokenTransport, request: SessionRequest, native: NativePair) => void,
  { request, ...changes }: Partial<SessionConfig> & { request?: WireRequest } = {},
): Promise<WireResponse> {
  return responseOf(
    kind,
    (exchange, native) => act(transportWith(changes), createSessionRequest(exchange, {}), native),
    request,
  );
}

function exposed(response: WireResponse): string[] {
  return response.lines('access-control-expose-headers');
}

describe('reading tokens', () => {
  const transport = transportWith();
  const read = (headers: Record<string, string>, method: TokenTransferMethod): string | undefined =>
    transport.readToken(requestWith(headers), 'access', method);

  it('reads each kind from its own cookie', () => {
    const request = requestWith({ cookie: 'sRefreshToken=r; sAccessToken=a' });
    expect(transport.readToken(request, 'access', 'cookie')).toBe('a');
    expect(transport.readToken(request, 'refresh', 'cookie')).toBe('r');
  });

  it.each([
    ['the exact scheme', 'Bearer abc', 'abc'],
    ['more spaces, trimmed (T73)', 'Bearer    abc  ', 'abc'],
    ['an empty value as present', 'Bearer ', ''],
    ['a comma list as one text that is no token', 'Bearer a, Bearer b', 'a, Bearer b'],
    ['the scheme in lower case (T72)', 'bearer abc', undefined],
    ['the scheme in upper case', 'BEARER abc', undefined],
    ['the scheme without a space', 'Bearerabc', undefined],
    ['the scheme alone', 'Bearer', undefined],
    ['a tab for the space', 'Bearer\tabc', undefined],
    ['a space before the scheme', ' Bearer abc', undefined],
    ['another scheme', 'Basic YTpi', undefined],
    ['nothing', '', undefined],
  ])('takes from Authorization: %s (S073)', (_case, authorization, token) => {
    expect(read({ authorization }, 'header')).toBe(token);
  });

  it('reads the place it is asked for and no other (S072)', () => {
    const both = { cookie: 'sAccessToken=cookie', authorization: 'Bearer header' };
    expect(read(both, 'cookie')).toBe('cookie');
    expect(read(both, 'header')).toBe('header');
    expect(read({ cookie: 'sAccessToken=cookie' }, 'header')).toBeUndefined();
    expect(read({ authorization: 'Bearer header' }, 'cookie')).toBeUndefined();
  });

  it('finds no token in the URL (S067)', () => {
    expect(read({}, 'cookie')).toBeUndefined();
    expect(read({}, 'header')).toBeUndefined();
  });

  it('treats a credential of more than 16 kB as absent, though its cookie is there', () => {
    const value = 'x'.repeat(16 * 1024);
    expect(read({ cookie: `sAccessToken=${value}` }, 'cookie')).toBe(value);
    expect(read({ cookie: `sAccessToken=${value}x` }, 'cookie')).toBeUndefined();
    expect(read({ authorization: `Bearer ${value}` }, 'header')).toBeUndefined();
    expect(transport.readCookie(requestWith({ cookie: `sAccessToken=${value}x` }), 'access').isPresent).toBe(
      true,
    );
  });

  it('reads configured cookie names and then ignores the default ones (T38)', () => {
    const custom = transportWith({ getCookieNameForTokenType: (_req, tokenType) => `my-${tokenType}` });
    const request = requestWith({ cookie: 'my-access=1; sAccessToken=2; sAccessToken=3' });
    expect(custom.readToken(request, 'access', 'cookie')).toBe('1');
    expect(custom.readCookie(request, 'access').isDuplicated).toBe(false);
  });

  it('hands request and user context to the function that names cookies', () => {
    const seen: unknown[] = [];
    const custom = transportWith({
      getCookieNameForTokenType: (...args) => {
        seen.push(args);
        return 'x';
      },
    });
    const userContext = { tenant: 'a' };
    const request = requestWith({}, undefined, userContext);
    custom.readToken(request, 'refresh', 'cookie');
    expect(seen).toEqual([[request.request, 'refresh', userContext]]);
  });
});

describe('reading what comes beside the tokens', () => {
  const transport = transportWith();

  it.each([
    [{ 'st-auth-mode': 'CooKie' }, 'cookie'],
    [{ 'st-auth-mode': 'else' }, 'else'],
    [{}, undefined],
  ])('gives the auth mode in lower case (T6): %p', (headers, mode) => {
    expect(transport.readAuthMode(requestWith({ ...headers }))).toBe(mode);
  });

  it('gives the anti-CSRF token as sent', () => {
    expect(transport.readAntiCsrfToken(requestWith({ 'anti-csrf': 'aB' }))).toBe('aB');
    expect(transport.readAntiCsrfToken(requestWith({}))).toBeUndefined();
  });

  it('accepts any rid header, even an empty one (T52)', () => {
    expect(transport.hasCustomHeader(requestWith({ rid: '' }))).toBe(true);
    expect(transport.hasCustomHeader(requestWith({ 'st-auth-mode': 'cookie' }))).toBe(false);
  });

  it.each([
    ['a value', { cookie: 'sIdRefreshToken=1' }, undefined, true],
    ['no value', { cookie: 'sIdRefreshToken=' }, undefined, true],
    [
      'a value that a cookie parser made an object of',
      { cookie: 'sIdRefreshToken=j:{}' },
      { sIdRefreshToken: {} },
      true,
    ],
    ['another name', { cookie: 'sIdRefreshTokenX=1' }, undefined, false],
  ])('sees the legacy cookie with %s (T62)', (_case, headers, cookies, present) => {
    expect(transport.readCookie(requestWith(headers, cookies), 'access').hasLegacyCookie).toBe(present);
  });

  it('sees token cookies with any value', () => {
    const request = requestWith({ cookie: 'sAccessToken=' });
    expect(transport.readCookie(request, 'access').isPresent).toBe(true);
    expect(transport.readCookie(request, 'refresh').isPresent).toBe(false);
  });

  it('sees that a cookie came twice, even if a cookie parser reports one (T63)', () => {
    const request = requestWith(
      { cookie: 'sAccessToken=a; sRefreshToken=r; sAccessToken=a' },
      { sAccessToken: 'a' },
    );
    expect(transport.readCookie(request, 'access').isDuplicated).toBe(true);
    expect(transport.readCookie(request, 'refresh').isDuplicated).toBe(false);
    expect(transport.readCookie(requestWith({}), 'access').isDuplicated).toBe(false);
  });
});

describe.each(SERVER_KINDS)('tokens on the wire of %s', (kind) => {
  const write =
    (method: TokenTransferMethod, tokens: TokensToWrite = TOKENS) =>
    (transport: TokenTransport, request: SessionRequest): void =>
      transport.writeTokens(request, method, tokens, OWNER);

  it('writes a cookie session (T1-T4, T14, T17, S058)', async () => {
    const response = await responseTo(kind, write('cookie', { ...TOKENS, antiCsrfToken: 'anti' }));
    expect(response.lines('set-cookie')).toEqual([
      `sAccessToken=aaa.bbb.ccc; Path=/; Expires=${IN_A_YEAR}; HttpOnly; Secure; SameSite=Lax`,
      'sRefreshToken=r%2B%2F%3D.V2; Path=/auth/session/refresh; Expires=Sat, 11 Apr 2026 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax',
    ]);
    expect(response.lines('front-token')).toEqual(['ZnJvbnQ=']);
    expect(response.lines('anti-csrf')).toEqual(['anti']);
    expect(exposed(response)).toEqual(['front-token, anti-csrf']);
    expect([response.lines('st-access-token'), response.lines('st-refresh-token'), response.body]).toEqual([
      [],
      [],
      '{}',
    ]);
  });

  it('writes a header session, raw and without cookies (T5, T17)', async () => {
    const response = await responseTo(kind, write('header'));
    expect(response.lines('st-access-token')).toEqual(['aaa.bbb.ccc']);
    expect(response.lines('st-refresh-token')).toEqual(['r+/=.V2']);
    expect(response.lines('set-cookie')).toEqual([]);
    expect(exposed(response)).toEqual(['front-token, st-access-token, st-refresh-token']);
  });

  it.each([
    ['cookie', 'front-token', 1],
    ['header', 'front-token, st-access-token', 0],
  ] as const)(
    'writes only the access token of a changed payload, by %s (T183, T185)',
    async (method, list, cookies) => {
      const { accessToken, frontToken } = TOKENS;
      const response = await responseTo(kind, write(method, { accessToken, frontToken }));
      expect(exposed(response)).toEqual([list]);
      expect(response.lines('set-cookie')).toHaveLength(cookies);
      expect([response.lines('st-refresh-token'), response.lines('anti-csrf')]).toEqual([[], []]);
    },
  );

  it('repeats the access token in the header when that is configured, the refresh token never (T40)', async () => {
    const response = await responseTo(kind, write('cookie', { ...TOKENS, antiCsrfToken: 'anti' }), {
      exposeAccessTokenToFrontendInCookieBasedAuth: true,
    });
    expect(response.lines('st-access-token')).toEqual(['aaa.bbb.ccc']);
    expect(response.lines('st-refresh-token')).toEqual([]);
    expect(response.lines('set-cookie')).toHaveLength(2);
    expect(exposed(response)).toEqual(['front-token, st-access-token, anti-csrf']);
  });

  it('follows the configured domain, paths and attributes (T14-T16, S066)', async () => {
    const response = await responseTo(kind, write('cookie'), {
      cookieDomain: '.a.io',
      accessTokenPath: '/access',
      refreshTokenPath: '/gw/auth/session/refresh',
      cookiePartitioned: true,
      cookieSameSite: () => 'none',
    });
    const attributes = 'HttpOnly; Secure; SameSite=None; Partitioned';
    expect(response.lines('set-cookie')).toEqual([
      expect.stringMatching(new RegExp(`; Domain=\\.a\\.io; Path=/access; Expires=[^;]+; ${attributes}$`)),
      expect.stringMatching(
        new RegExp(`; Domain=\\.a\\.io; Path=/gw/auth/session/refresh; Expires=[^;]+; ${attributes}$`),
      ),
    ]);
  });

  it('decides SameSite by the request at hand (T41)', async () => {
    const response = await responseTo(kind, write('cookie'), {
      cookieSameSite: ({ request }) =>
        request?.getHeaderValue('origin') === 'https://far.io' ? 'none' : 'strict',
      request: { headers: { origin: 'https://far.io' } },
    });
    expect(response.lines('set-cookie')).toEqual([
      expect.stringContaining('SameSite=None'),
      expect.stringContaining('SameSite=None'),
    ]);
  });

  it('uses configured names for setting, clearing and exposing (T38, T39)', async () => {
    const names: Partial<SessionConfig> = {
      getCookieNameForTokenType: (_req, tokenType) => `my-${tokenType}`,
      getResponseHeaderNameForTokenType: (_req, tokenType) => `x-${tokenType}`,
    };
    const act = (transport: TokenTransport, request: SessionRequest): void => {
      transport.clear(request, 'cookie');
      transport.writeTokens(request, 'header', TOKENS, OWNER);
    };
    const response = await responseTo(kind, act, names);
    expect(response.lines('set-cookie').map((line) => line.split(';')[0])).toEqual([
      'my-access=',
      'my-refresh=',
    ]);
    expect(response.lines('x-access')).toEqual(['aaa.bbb.ccc']);
    expect(exposed(response)).toEqual(['front-token, x-access, x-refresh']);
    const byCookie = await responseTo(kind, write('cookie'), names);
    expect(byCookie.lines('set-cookie').map((line) => line.split(';')[0])).toEqual([
      'my-access=aaa.bbb.ccc',
      'my-refresh=r%2B%2F%3D.V2',
    ]);
  });

  it('lets the second of two sessions in one response win (T33)', async () => {
    const second = { ...TOKENS, accessToken: 'second', frontToken: 'Mg==' };
    const response = await responseTo(kind, (transport, request) => {
      transport.writeTokens(request, 'cookie', TOKENS, OWNER);
      transport.writeTokens(request, 'cookie', second, OWNER);
    });
    expect(response.lines('set-cookie').map((line) => line.split(';')[0])).toEqual([
      'sAccessToken=second',
      'sRefreshToken=r%2B%2F%3D.V2',
    ]);
    expect(response.lines('front-token')).toEqual(['Mg==']);
  });

  it('clears a cookie session (T166)', async () => {
    const response = await responseTo(kind, (transport, request) => transport.clear(request, 'cookie'));
    expect(response.lines('set-cookie')).toEqual([
      `sAccessToken=; Path=/; Expires=${EPOCH}; HttpOnly; Secure; SameSite=Lax`,
      `sRefreshToken=; Path=/auth/session/refresh; Expires=${EPOCH}; HttpOnly; Secure; SameSite=Lax`,
    ]);
    expect(response.lines('front-token')).toEqual(['remove']);
    expect(response.lines('st-access-token')).toEqual([]);
    expect(exposed(response)).toEqual(['front-token']);
  });

  it('clears a header session by empty values (T174)', async () => {
    const response = await responseTo(kind, (transport, request) => transport.clear(request, 'header'));
    expect(response.lines('st-access-token')).toEqual(['']);
    expect(response.lines('st-refresh-token')).toEqual(['']);
    expect(response.lines('front-token')).toEqual(['remove']);
    expect(response.lines('set-cookie')).toEqual([]);
    expect(exposed(response)).toEqual(['st-access-token, st-refresh-token, front-token']);
  });

  it('clears both methods whatever the request brought (T137, Q24)', async () => {
    const response = await responseTo(kind, (transport, request) => transport.clearBoth(request));
    expect(response.lines('set-cookie')).toHaveLength(2);
    expect(response.lines('st-access-token')).toEqual(['']);
    expect(response.lines('st-refresh-token')).toEqual(['']);
    expect(response.lines('front-token')).toEqual(['remove']);
    expect(exposed(response)).toEqual(['front-token, st-access-token, st-refresh-token']);
  });

  it('takes a session back that was created in the same response (T34); its anti-csrf stays exposed (Q25)', async () => {
    const response = await responseTo(kind, (transport, request) => {
      transport.writeTokens(request, 'cookie', { ...TOKENS, antiCsrfToken: 'anti' }, OWNER);
      transport.clear(request, 'cookie');
    });
    expect(response.lines('set-cookie').map((line) => line.split(';')[0])).toEqual([
      'sAccessToken=',
      'sRefreshToken=',
    ]);
    expect(response.lines('front-token')).toEqual(['remove']);
    expect(response.lines('anti-csrf')).toEqual([]);
    expect(exposed(response)).toEqual(['front-token, anti-csrf']);
  });

  it('gives a cookie session to a client that had a header session (T13)', async () => {
    const response = await responseTo(kind, (transport, request) => {
      transport.clear(request, 'header');
      transport.writeTokens(request, 'cookie', { ...TOKENS, antiCsrfToken: 'anti' }, OWNER);
    });
    expect(response.lines('st-access-token')).toEqual(['']);
    expect(response.lines('set-cookie')).toHaveLength(2);
    expect(response.lines('front-token')).toEqual(['ZnJvbnQ=']);
    expect(exposed(response)).toEqual(['st-access-token, st-refresh-token, front-token, anti-csrf']);
  });

  it('deletes the legacy cookie beside the new tokens (T147)', async () => {
    const response = await responseTo(kind, (transport, request) => {
      transport.writeTokens(request, 'cookie', TOKENS, OWNER);
      transport.clearLegacyCookie(request);
    });
    expect(response.lines('set-cookie')).toHaveLength(3);
    expect(response.lines('set-cookie')[2]).toBe(
      `sIdRefreshToken=; Path=/; Expires=${EPOCH}; HttpOnly; Secure; SameSite=Lax`,
    );
  });

  it.each([
    ['.old.io', 'sRefreshToken=; Domain=.old.io; Path=/auth/session/refresh;'],
    ['', 'sRefreshToken=; Path=/auth/session/refresh;'],
  ])(
    'deletes a duplicate on the older domain "%s" and says nothing else (T151-T153)',
    async (older, start) => {
      const response = await responseTo(
        kind,
        (transport, request) => expect(transport.clearDuplicate(request, 'refresh')).toBe(true),
        {
          cookieDomain: '.new.io',
          olderCookieDomain: older,
        },
      );
      expect(response.lines('set-cookie')).toEqual([expect.stringContaining(start)]);
      expect(response.lines('cache-control')).toEqual(['no-store']);
      expect(response.lines('set-cookie')[0]).toContain(EPOCH);
      expect([response.lines('front-token'), exposed(response)]).toEqual([[], []]);
    },
  );

  it("keeps the application's cookies and exposed headers, in front and in order (S065, T35, Q4, Q5)", async () => {
    const response = await responseTo(kind, (transport, request) => {
      request.response.setHeader('Set-Cookie', ['sAccessTokenOther=1', 'theme=dark']);
      request.response.setHeader('Access-Control-Expose-Headers', 'customValue, my-front-token-x');
      transport.writeTokens(request, 'cookie', TOKENS, OWNER);
      transport.writeTokens(request, 'cookie', TOKENS, OWNER);
    });
    expect(response.lines('set-cookie').map((line) => line.split('=')[0])).toEqual([
      'sAccessTokenOther',
      'theme',
      'sAccessToken',
      'sRefreshToken',
    ]);
    expect(exposed(response)).toEqual(['customValue, my-front-token-x, front-token']);
  });

  const writers: Record<string, (transport: TokenTransport, request: SessionRequest) => void> = {
    writeTokens: write('header'),
    clear: (transport, request) => transport.clear(request, 'cookie'),
    clearBoth: (transport, request) => transport.clearBoth(request),
    clearLegacyCookie: (transport, request) => transport.clearLegacyCookie(request),
    clearDuplicate: (transport, request) => transport.clearDuplicate(request, 'access'),
  };
  it.each(Object.keys(writers))('%s forbids caching and varies on the credentials (S064)', async (name) => {
    const response = await responseTo(
      kind,
      (transport, request) => {
        request.response.setHeader('Cache-Control', 'public, max-age=60');
        request.response.setHeader('Vary', 'Origin, cookie');
        writers[name]?.(transport, request);
      },
      { cookieDomain: '.shop.io', olderCookieDomain: '' },
    );
    expect(response.lines('cache-control')).toEqual(['no-store']);
    expect(response.lines('vary')).toEqual(['Origin, cookie, Authorization']);
  });

  it('writes nothing at all when a token does not fit into a cookie (S062)', async () => {
    const response = await responseTo(kind, (transport, request) => {
      const tooLong = { ...TOKENS, accessToken: 'x'.repeat(4096) };
      expect(() => transport.writeTokens(request, 'cookie', tooLong, OWNER)).toThrow(
        /sAccessToken needs 4108 octets/,
      );
    });
    expect([response.lines('set-cookie'), response.lines('front-token'), exposed(response)]).toEqual([
      [],
      [],
      [],
    ]);
  });
});

describe('deleting duplicates', () => {
  it.each([{}, { olderCookieDomain: '' }, { olderAccessTokenPath: '/' }])(
    'deletes nothing while no older place is known, which %j does not name',
    async (options) => {
      const response = await responseTo(
        'node:http',
        (transport, request) => expect(transport.clearDuplicate(request, 'access')).toBe(false),
        options,
      );
      expect(['set-cookie', 'cache-control', 'vary'].flatMap((name) => response.lines(name))).toEqual([]);
    },
  );
});

describe('sessions that end while a response is on its way', () => {
  const owner = (sessionHandle: string, mark: number) => ({ sessionHandle, mark });

  it('are late for it, and others are not', () => {
    const transport = transportWith();
    const { mark } = transport;
    expect([transport.isLateFor(owner('a', mark)), transport.hasChangedSince(mark)]).toEqual([false, false]);
    transport.noteEnded(['a', 'b']);
    transport.noteReplaced('c');
    expect(['a', 'b', 'c', 'd'].map((handle) => transport.isLateFor(owner(handle, mark)))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(transport.hasChangedSince(mark)).toBe(true);
    expect(transport.isLateFor(owner('a', transport.mark))).toBe(false);
    transport.noteUnknownEnds();
    expect(transport.isLateFor(owner('d', mark))).toBe(false); // it is not known
  });

  it.each<[what: string, change: (transport: TokenTransport) => void, isTakenBack: boolean]>([
    ['nothing', () => undefined, false],
    ['its end', (transport) => transport.noteEnded(['handle-1']), true],
    ['the end of another one', (transport) => transport.noteEnded(['handle-2']), false],
    ['a new sign-in of its client', (transport) => transport.noteReplaced('handle-1'), true],
    ['a new sign-in of another client', (transport) => transport.noteReplaced('handle-2'), false],
    ['ends that are not named', (transport) => transport.noteUnknownEnds(), true],
    [
      'ends of others that are not named',
      (transport) => transport.noteUnknownEnds({ includes: () => false }),
      false,
    ],
    [
      'ends that are not named, of its user',
      (transport) => transport.noteUnknownEnds({ includes: ({ userId }) => userId === 'user-1' }),
      true,
    ],
  ])('take their tokens back after %s', async (_, change, isTakenBack) => {
    const subject = { userId: 'user-1', recipeUserId: 'user-1', tenantId: 'public' };
    const response = await responseTo('node:http', (transport, request) => {
      transport.writeTokens(request, 'cookie', TOKENS, { ...OWNER, subject });
      change(transport);
    });
    expect(response.lines('set-cookie')).toHaveLength(isTakenBack ? 0 : 2);
    expect(response.lines('front-token')).toEqual(isTakenBack ? [] : ['ZnJvbnQ=']);
  });

  it('lose their tokens as well where they ended before', async () => {
    const response = await responseTo('node:http', (transport, request) => {
      transport.noteEnded(['handle-1']);
      transport.writeTokens(request, 'header', TOKENS, { ...OWNER, mark: transport.mark });
    });
    expect([response.lines('st-access-token'), response.lines('st-refresh-token')]).toEqual([[], []]);
  });

  it.each([
    ['nothing', () => undefined, ['remove']],
    ['a new sign-in of its client', (transport: TokenTransport) => transport.noteReplaced('handle-1'), []],
    ['its end', (transport: TokenTransport) => transport.noteEnded(['handle-1']), ['remove']],
  ])('do not take the tokens of a newer sign-in away: after %s', async (_, change, frontToken) => {
    const cause = new Error('refused');
    for (const clear of [
      (transport: TokenTransport, request: SessionRequest) => transport.clear(request, 'cookie', OWNER),
      (transport: TokenTransport, request: SessionRequest) => {
        transport.noteOwner(cause, OWNER);
        transport.clearBoth(request, cause);
      },
    ]) {
      const response = await responseTo('node:http', (transport, request) => {
        clear(transport, request);
        change(transport);
      });
      expect(response.lines('front-token')).toEqual(frontToken);
    }
  });

  it('are cleared for certain where the error names no owner', async () => {
    const response = await responseTo('node:http', (transport, request) => {
      transport.clearBoth(request, new Error('refused'));
      transport.noteReplaced('handle-1');
    });
    expect(response.lines('front-token')).toEqual(['remove']);
  });
});

describe('a response that has been sent', () => {
  it('gets no tokens and loses none, and a warning says so once for each', async () => {
    const warnings = new ProcessWarnings();
    try {
      const transport = transportWith({ cookieDomain: '.shop.io', olderCookieDomain: '' });
      await responseOf('node:http', (exchange) => {
        const request = createSessionRequest(exchange, {});
        request.response.sendJSONResponse({});
        for (const _each of [1, 2]) {
          transport.writeTokens(request, 'cookie', TOKENS, OWNER);
          transport.clear(request, 'cookie');
        }
        transport.clearLegacyCookie(request);
        transport.clearAccessCookies(request);
        transport.markSessionDependent(request);
        expect(transport.clearDuplicate(request, 'access')).toBe(false);
      });
      expect(warnings.take()).toEqual([
        'A session changed after the headers of the response had been sent: its client gets the new tokens with its next refresh',
        'A session ended after the headers of the response had been sent: its client keeps the tokens until they are refused',
      ]);
    } finally {
      warnings.restore();
    }
  });

  it('is the only one whose headers may be refused', () => {
    const request = requestWith({});
    const failure = new Error('the headers cannot be written');
    request.response.setHeader = () => {
      throw failure;
    };
    expect(() => transportWith().markSessionDependent(request)).toThrow(failure);
  });
});

describe('cookies of other places', () => {
  const lines = (response: WireResponse): string[] =>
    response
      .lines('set-cookie')
      .map((line) => line.replace(/ (Expires|HttpOnly|Secure|SameSite)[^;]*;?/g, ''));

  it('are deleted wherever the access token can have come from', async () => {
    const clear = (transport: TokenTransport, request: SessionRequest): void =>
      transport.clearAccessCookies(request);
    const request = { path: '/a/b' };
    expect(lines(await responseTo('node:http', clear, { request }))).toEqual([
      'sAccessToken=; Path=/;',
      'sAccessToken=; Path=/; Partitioned',
      'sAccessToken=; Path=/a;',
      'sAccessToken=; Path=/a; Partitioned',
      'sAccessToken=; Path=/a/b;',
      'sAccessToken=; Path=/a/b; Partitioned',
    ]);
    const insecure = {
      request: { path: '/' },
      cookieSecure: false,
      cookieDomain: '.a.io',
      olderCookieDomain: '',
    };
    expect(lines(await responseTo('node:http', clear, insecure))).toEqual([
      'sAccessToken=; Domain=.a.io; Path=/;',
      'sAccessToken=; Path=/;',
    ]);
  });

  it.each<[what: string, changes: Partial<SessionConfig>, cookie: string | undefined, count: number]>([
    ['no older place', {}, 'sAccessToken=a', 0],
    ['an older domain', { olderCookieDomain: '.a.io' }, 'sAccessToken=a', 2],
    ['an older domain, and no cookie in the request', { olderCookieDomain: '.a.io' }, 'other=a', 0],
    ['an older path, where cookies need not be sent', { olderAccessTokenPath: '/old' }, undefined, 1],
    ['an older name', { olderCookieName: (_req, tokenType) => `old-${tokenType}` }, 'old-access=a', 2],
    ['an older name, and no cookie of it', { olderCookieName: () => 'old' }, 'old2=a', 0],
  ])('are deleted with a sign-in: after %s', async (_, changes, cookie, count) => {
    const request = { headers: cookie === undefined ? {} : { cookie } };
    for (const act of [
      (transport: TokenTransport, to: SessionRequest) => transport.writeTokens(to, 'cookie', TOKENS, OWNER),
      (transport: TokenTransport, to: SessionRequest) => transport.clear(to, 'cookie'),
    ])
      expect(lines(await responseTo('node:http', act, { ...changes, request }))).toHaveLength(2 + count);
    const { accessToken, frontToken } = TOKENS;
    const changed = await responseTo(
      'node:http',
      (transport, to) => transport.writeTokens(to, 'cookie', { accessToken, frontToken }, OWNER),
      { ...changes, request },
    );
    expect(lines(changed)).toHaveLength(1);
    for (const act of [
      (transport: TokenTransport, to: SessionRequest) => transport.writeTokens(to, 'header', TOKENS, OWNER),
      (transport: TokenTransport, to: SessionRequest) => transport.clear(to, 'header'),
    ])
      expect(lines(await responseTo('node:http', act, { ...changes, request }))).toEqual([]);
  });

  it.each([
    [{}, false, false],
    [{}, true, true],
    [{ accessTokenPath: '/api' }, false, true],
    [{ accessTokenPath: '/' }, false, false],
  ])('may have sent the access token with %j, twice: %s: %s', (changes, isDuplicated, isOfOther) => {
    const cookie = { token: 'a', isPresent: true, isDuplicated, hasLegacyCookie: false };
    expect(transportWith(changes).isOfOtherPlace(requestWith({}), cookie)).toBe(isOfOther);
  });

  it('of a session are deleted with it, by cookie only', async () => {
    const clear = (method: TokenTransferMethod) =>
      responseOf('node:http', (exchange) =>
        new TokenTransport(wireConfig(), new StoppedClock(), () => [{ name: 'more', line: 'more=' }]).clear(
          createSessionRequest(exchange, {}),
          method,
        ),
      );
    expect((await clear('cookie')).lines('set-cookie').at(-1)).toBe('more=');
    expect((await clear('header')).lines('set-cookie')).toEqual([]);
  });

  it('must have room for the token before it is issued', () => {
    const transport = transportWith();
    const longest = 4096 - 'sAccessToken'.length;
    transport.assertAccessTokenFits(requestWith({}), 'cookie', longest);
    transport.assertAccessTokenFits(requestWith({}), 'header', longest + 1);
    expect(() => transport.assertAccessTokenFits(requestWith({}), 'cookie', longest + 1)).toThrow(
      /sAccessToken needs 4097 octets/,
    );
  });
});

describe('the other way of a token', () => {
  it('is the header for a cookie, and the cookie for a header', () => {
    expect([otherMethod('cookie'), otherMethod('header')]).toEqual(['header', 'cookie']);
  });

  it.each([
    ['', ['sAccessToken', 'sRefreshToken']],
    [' under names of the configuration', ['my-access', 'my-refresh']],
  ] as const)('has both of its cookies read together%s', (_, [accessName, refreshName]) => {
    const request = requestWith({
      cookie: `${accessName}=a; ${refreshName}=r; ${refreshName}=r; sIdRefreshToken=`,
    });
    const names = { access: accessName, refresh: refreshName };
    const transport = transportWith({ getCookieNameForTokenType: (_req, tokenType) => names[tokenType] });
    expect(transport.readCookies(request)).toEqual({
      access: { token: 'a', isPresent: true, isDuplicated: false, hasLegacyCookie: true },
      refresh: { token: 'r', isPresent: true, isDuplicated: true, hasLegacyCookie: true },
    });
  });
});

describe('responses that depend on the session', () => {
  it.each([
    [undefined, 'Cookie, Authorization'],
    ['Cookie, Authorization', 'Cookie, Authorization'],
    ['Origin', 'Origin, Cookie, Authorization'],
    [['Origin', 'Cookie'], 'Origin, Cookie, Authorization'],
    [['Cookie', 'Authorization'], 'Cookie, Authorization'],
  ])('vary, beside %j: %j', (before, after) => {
    const request = requestWith({});
    if (before !== undefined) request.response.setHeader('Vary', before);
    transportWith().markSessionDependent(request);
    expect(request.response.getHeaderValues('Vary')).toEqual([after]);
  });
});

describe('configured cookie names and domains', () => {
  it.each([
    ['name', { getCookieNameForTokenType: () => 'a\r\nSet-Cookie: b' }],
    ['domain', { cookieDomain: 'a.io; Path=/' }],
    ['path', { accessTokenPath: '/\n' }],
  ] as const)('cannot inject through the %s (S063)', async (field, changes) => {
    await responseTo(
      'node:http',
      (transport, request) => expect(() => transport.clear(request, 'cookie')).toThrow(`"${field}"`),
      changes,
    );
  });
});

describe('adding to a header list', () => {
  it.each([
    ['nothing', [], ['front-token'], 'front-token'],
    ['an empty value', [''], ['front-token'], 'front-token'],
    ['a value of blanks', [' '], ['front-token'], 'front-token'],
    [
      "the application's items, kept in front (T35)",
      ['customValue'],
      ['front-token', 'anti-csrf'],
      'customValue, front-token, anti-csrf',
    ],
    [
      'a longer name that holds ours (Q5)',
      ['my-front-token-x'],
      ['front-token'],
      'my-front-token-x, front-token',
    ],
    ['the item in another letter case', ['X,Front-Token'], ['front-token'], 'X,Front-Token'],
    ['several lines', ['a', 'b'], ['c'], 'a, b, c'],
    ['all items', ['Cookie,  Authorization'], ['Cookie', 'Authorization'], 'Cookie,  Authorization'],
  ])('to %s', (_case, existing, items, expected) => {
    expect(appendToHeaderList(existing, items)).toBe(expected);
  });
});
