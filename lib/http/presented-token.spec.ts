import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { StoppedClock, wireConfig } from '../../test/fixtures/wire-config.js';
import { TryRefreshTokenError, UnauthorisedError } from '../errors.js';
import type { SessionConfig } from '../options/session-config.js';
import type { AccessTokenInfo } from '../tokens/access-token-format.js';
import type { ParsedAccessToken } from '../tokens/access-token-format.js';
import { IncomingRequest, type PresentedCookie } from './incoming-request.js';
import { OLDER_COOKIE, PresentedTokens } from './presented-token.js';

interface Places {
  readonly header?: string;
  readonly cookie?: string;
  readonly isOfOtherPlace?: boolean;
  readonly hasLegacyCookie?: boolean;
  readonly rid?: boolean;
  readonly method?: string;
  readonly origin?: string;
}

function requestWith({ method = 'GET', origin, ...places }: Places) {
  const headers = origin === undefined ? {} : { origin, 'sec-fetch-site': 'cross-site' };
  const request = new IncomingRequest({ method, url: '/me', headers });
  return { request, userContext: {}, places };
}
type Request = ReturnType<typeof requestWith>;

const KNOWN = { userId: 'user-1' } as AccessTokenInfo;
/** Texts that begin with `ours` are in the format of access tokens. One that is remembered is not read again. */
const verifier = {
  recall: (token: string) => (token === 'remembered' ? KNOWN : undefined),
  read: (token: string) => (token.startsWith('ours') ? ({ token } as ParsedAccessToken) : undefined),
};

function setUp(changes: Partial<SessionConfig> = {}) {
  const cleared: Request[] = [];
  const places = {
    readToken: ({ places: { header } }: Request) => header,
    readCookie: ({ places: { cookie, hasLegacyCookie = false } }: Request): PresentedCookie => ({
      token: cookie,
      isPresent: cookie !== undefined,
      isDuplicated: false,
      hasLegacyCookie,
    }),
    isOfOtherPlace: ({ places: { isOfOtherPlace = false } }: Request) => isOfOtherPlace,
    clearAccessCookies: (request: Request) => void cleared.push(request),
    hasCustomHeader: ({ places: { rid = false } }: Request) => rid,
  };
  const tokens = new PresentedTokens<Request>(places, verifier, wireConfig(changes), new StoppedClock());
  return { tokens, cleared };
}

describe('the access token of a request that counts', () => {
  const { tokens } = setUp();
  const header = { token: 'ours, by header', transferMethod: 'header', known: undefined };
  const cookie = { token: 'ours, by cookie', transferMethod: 'cookie', known: undefined };
  const both = { header: 'ours, by header', cookie: 'ours, by cookie' };

  it.each<[string, Places, 'any' | 'cookie' | 'header', object | undefined]>([
    ['that of the header before that of the cookie', both, 'any', header],
    ['that of the cookie where no other is allowed', both, 'cookie', cookie],
    ['that of the header where no other is allowed', both, 'header', header],
    ['the cookie beside the credential of another party', { ...both, header: 'foreign' }, 'any', cookie],
    ['none, where only the header is allowed', { cookie: 'ours, by cookie' }, 'header', undefined],
    ['none, where both are foreign', { header: 'foreign', cookie: 'foreign' }, 'any', undefined],
    ['none, where there is none', {}, 'any', undefined],
    [
      'one that is remembered, with its facts',
      { header: 'remembered' },
      'any',
      { token: 'remembered', transferMethod: 'header', known: KNOWN },
    ],
  ])('is %s', (_, places, allowed, expected) => {
    expect(tokens.find(requestWith(places), allowed)).toEqual(expected);
  });

  it('is no cookie that the page of another site sent', () => {
    const foreign = { method: 'POST', origin: 'https://evil.example' };
    const error = refusal(() => tokens.find(requestWith({ ...foreign, cookie: 'ours' }), 'any'));
    expect(error).toBeInstanceOf(UnauthorisedError);
    expect((error as UnauthorisedError).payload.clearTokens).toBe(false);
    expect(tokens.find(requestWith({ ...foreign, header: 'ours' }), 'any')).toMatchObject({ token: 'ours' });
    expect(tokens.find(requestWith({ ...foreign, cookie: 'foreign' }), 'any')).toBeUndefined();
  });

  it('is unknown beside the cookie of an old SDK, unless the header brings one', () => {
    const legacy = { hasLegacyCookie: true };
    for (const places of [legacy, { ...legacy, cookie: 'ours' }, { ...legacy, header: 'foreign' }])
      expect(refusal(() => tokens.find(requestWith(places), 'any'))).toEqual(
        new TryRefreshTokenError('The request carries a cookie of an old SDK, which a refresh replaces'),
      );
    expect(tokens.find(requestWith({ ...legacy, header: 'ours' }), 'any')).toMatchObject({ token: 'ours' });
    expect(tokens.find(requestWith(legacy), 'header')).toBeUndefined();
  });
});

describe('a cookie that can have come from another place', () => {
  let warn: jest.SpiedFunction<typeof process.emitWarning>;
  beforeEach(() => void (warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)));
  afterEach(() => warn.mockRestore());

  it('is deleted, refused, and warned of once a minute', () => {
    const { tokens, cleared } = setUp();
    const request = requestWith({ cookie: 'ours', isOfOtherPlace: true });
    for (const _each of [1, 2])
      expect(refusal(() => tokens.find(request, 'any'))).toEqual(new TryRefreshTokenError(OLDER_COOKIE));
    expect(cleared).toEqual([request, request]);
    expect(warn.mock.calls.map(([message]) => String(message))).toEqual([
      expect.stringContaining('Set olderAccessTokenPath or olderCookieDomain'),
    ]);
  });

  it('counts for nothing where it is no token of ours', () => {
    const { tokens, cleared } = setUp();
    expect(tokens.find(requestWith({ cookie: 'foreign', isOfOtherPlace: true }), 'any')).toBeUndefined();
    expect([cleared, warn.mock.calls]).toEqual([[], []]);
  });
});

describe('whether a request has its anti-CSRF token compared', () => {
  const byCookie = { token: 'ours', transferMethod: 'cookie', known: undefined } as const;
  const byHeader = { ...byCookie, transferMethod: 'header' } as const;

  it('follows mode, method, way and route', () => {
    const { tokens } = setUp({ antiCsrfMode: () => 'VIA_TOKEN' });
    const [get, post] = [requestWith({}), requestWith({ method: 'POST' })];
    expect(tokens.checksAntiCsrf(post, byCookie, undefined)).toBe(true);
    expect(tokens.checksAntiCsrf(get, byCookie, undefined)).toBe(false);
    expect(tokens.checksAntiCsrf(get, byCookie, true)).toBe(true);
    expect(tokens.checksAntiCsrf(post, byCookie, false)).toBe(false);
    expect(tokens.checksAntiCsrf(post, byHeader, true)).toBe(false);
    expect(tokens.checksAntiCsrf(post, undefined, true)).toBe(false);
  });

  it('needs the custom header where the mode says so', () => {
    const { tokens } = setUp({ antiCsrfMode: () => 'VIA_CUSTOM_HEADER' });
    const [without, with_] = [requestWith({ method: 'POST' }), requestWith({ method: 'POST', rid: true })];
    expect(refusal(() => tokens.checksAntiCsrf(without, byCookie, undefined))).toEqual(
      new TryRefreshTokenError('anti-csrf check failed: the rid header is missing'),
    );
    expect(tokens.checksAntiCsrf(with_, byCookie, undefined)).toBe(false);
    expect(tokens.checksAntiCsrf(without, byHeader, undefined)).toBe(false);
  });
});

function refusal(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
