import { beforeAll, describe, expect, it } from '@jest/globals';
import { PrimitiveClaim } from 'nest-sessions';
import { createSessionVerifier, sessionErrorResponse, type SessionVerifier } from 'nest-sessions/verify';
import { jwt } from '../fixtures/made-tokens.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, SHOP, TestApplication, type Adapter } from '../support/test-application.js';

type Headers = Readonly<Record<string, string>>;

const FOREIGN = jwt({ alg: 'RS256', typ: 'JWT' }, { sub: 'somebody', exp: 4_000_000_000 });
const FORGED = jwt(
  { kid: 'd-1759990000000', typ: 'JWT', version: '5', alg: 'RS256' },
  { sub: 'x', rsub: 'x', exp: 4_000_000_000, iat: 1, sessionHandle: 'x', refreshTokenHash1: 'x' },
  () => 'bm9uZQ',
);

/** The places of tokens, by a good one. */
function places(token: string): Record<string, Headers> {
  const bearer = `Bearer ${token}`;
  const cookie = `sAccessToken=${encodeURIComponent(token)}`;
  const broken = `${token.slice(0, -4)}AAAA`;
  return {
    none: {},
    'a bearer token': { authorization: bearer },
    'a bearer token in lower case': { authorization: bearer.toLowerCase() },
    'a bearer scheme in lower case': { authorization: `bearer ${token}` },
    'a bearer token with blanks': { authorization: `Bearer   ${token}  ` },
    'a broken bearer token': { authorization: `Bearer ${broken}` },
    'a forged bearer token': { authorization: `Bearer ${FORGED}` },
    'a DPoP token': { authorization: `DPoP ${token}` },
    'a token under Basic': { authorization: `Basic ${token}` },
    'a foreign bearer token': { authorization: `Bearer ${FOREIGN}` },
    'a foreign bearer token and a cookie': { authorization: `Bearer ${FOREIGN}`, cookie },
    'an empty bearer token and a cookie': { authorization: 'Bearer ', cookie },
    'a broken bearer token and a cookie': { authorization: `Bearer ${broken}`, cookie },
    'a bearer token and a broken cookie': { authorization: bearer, cookie: `sAccessToken=${broken}` },
    'a cookie': { cookie },
    'a cookie as it is': { cookie: `sAccessToken=${token}` },
    'a cookie in quotes': { cookie: `sAccessToken="${token}"` },
    'a cookie among others': { cookie: `a=1;  ${cookie} ; b` },
    'a cookie whose name is encoded': { cookie: `%73AccessToken=${token}` },
    'an empty cookie': { cookie: 'sAccessToken=' },
    'a cookie without a value': { cookie: 'sAccessToken' },
    'a cookie of another kind': { cookie: 'sAccessToken=j%3A%7B%22a%22%3A1%7D' },
    'a broken cookie': { cookie: `sAccessToken=${broken}` },
    'a foreign cookie': { cookie: `sAccessToken=${FOREIGN}` },
    'two cookies': { cookie: `${cookie}; ${cookie}` },
    'two cookies, the first one foreign': { cookie: `sAccessToken=${FOREIGN}; ${cookie}` },
    'a legacy cookie': { cookie: 'sIdRefreshToken=x' },
    'a legacy cookie and a cookie': { cookie: `sIdRefreshToken=; ${cookie}` },
    'a legacy cookie and a bearer token': { authorization: bearer, cookie: 'sIdRefreshToken=x' },
    'only a refresh token': { cookie: 'sRefreshToken=x' },
  };
}

/** The page that seems to send the request. */
const SENDERS: Record<string, Headers> = {
  'a program': {},
  'the website': { origin: 'https://shop.io', 'sec-fetch-site': 'same-site' },
  'the website without metadata': { origin: 'https://shop.io' },
  'the API itself': { origin: 'https://api.shop.io', 'sec-fetch-site': 'same-origin' },
  'another site': { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  'another site without metadata': { origin: 'https://evil.example' },
  'another site without an origin': { 'sec-fetch-site': 'cross-site' },
  'a sandbox': { origin: 'null', 'sec-fetch-site': 'cross-site' },
  'a sandbox without metadata': { origin: 'null' },
  'a typed address': { 'sec-fetch-site': 'none' },
};

describe.each(ADAPTERS)('the verifying door beside a guard on %s', (adapter) => {
  describe.each(['NONE', 'VIA_CUSTOM_HEADER', 'VIA_TOKEN'] as const)('with antiCsrf %s', (antiCsrf) => {
    let compared: Compared;

    beforeAll(async () => {
      compared = await Compared.start(adapter, { antiCsrf });
    });

    it('takes the same token of a request, wherever it is and however it is spelled', async () => {
      const { antiCsrf: token = '' } = compared.client;
      const all = Object.entries(places(compared.token));
      for (const method of ['GET', 'POST', 'HEAD'])
        for (const protection of [
          {},
          { rid: '' },
          { 'anti-csrf': token },
          { 'anti-csrf': `${token}x` },
        ] as Headers[])
          for (const [name, headers] of all)
            await compared.compare(name, method, { ...headers, ...protection });
      expect(compared.takeOutcome()).toEqual({ compared: all.length * 12, differences: [] });
    });

    it('lets the same pages use a cookie', async () => {
      const { antiCsrf: token = '' } = compared.client;
      const { cookie } = places(compared.token)['a cookie'] ?? {};
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS'])
        for (const [name, headers] of Object.entries(SENDERS))
          await compared.compare(name, method, {
            cookie: cookie ?? '',
            rid: 'x',
            'anti-csrf': token,
            ...headers,
          });
      expect(compared.takeOutcome()).toEqual({ compared: Object.keys(SENDERS).length * 4, differences: [] });
    });

    it('refuses an expired token alike', async () => {
      const { clock } = compared.application;
      clock.advanceSeconds(3601);
      const { 'a cookie': cookie = {}, 'a bearer token': bearer = {} } = places(compared.token);
      await compared.compare('cookie', 'GET', cookie);
      await compared.compare('bearer', 'GET', bearer);
      expect(compared.takeOutcome()).toEqual({ compared: 2, differences: [] });
      clock.advanceSeconds(-3601);
    });
  });

  it.each([
    ['allowedOrigins', { allowedOrigins: ['https://shop.io', 'https://partner.example'] }],
    ['crossSiteRequests allow', { crossSiteRequests: 'allow' as const }],
  ])('lets the same pages use a cookie with %s', async (_name, options) => {
    const compared = await Compared.start(adapter, { antiCsrf: 'NONE', ...options });
    const { 'a cookie': cookie = {} } = places(compared.token);
    const partner = { partner: { origin: 'https://partner.example', 'sec-fetch-site': 'cross-site' } };
    for (const [name, headers] of Object.entries({ ...SENDERS, ...partner }))
      for (const further of [{}, { 'content-type': 'application/json' }, { rid: 'x' }] as Headers[])
        await compared.compare(name, 'POST', { ...cookie, ...headers, ...further });
    expect(compared.takeOutcome()).toEqual({
      compared: (Object.keys(SENDERS).length + 1) * 3,
      differences: [],
    });
  });

  it('responds to a failed claim with the same 403', async () => {
    const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'free' });
    const globalClaimValidators = [plan.validators.hasValue('pro')];
    const compared = await Compared.start(adapter, { antiCsrf: 'NONE', globalClaimValidators });
    const { 'a bearer token': bearer = {} } = places(compared.token);
    expect(await compared.compare('claims', 'GET', bearer)).toMatchObject({ status: 403 });
    expect(compared.takeOutcome()).toEqual({ compared: 1, differences: [] });
  });

  it.each([{ accessTokenIssuers: ['https://other.example/auth'] }, { accessTokenAudience: 'shop' }])(
    'refuses a session for other applications alike: %j',
    async (options) => {
      const compared = await Compared.start(adapter, { antiCsrf: 'NONE', ...options }, {});
      const { 'a bearer token': bearer = {} } = places(compared.token);
      expect(await compared.compare('foreign', 'GET', bearer)).toMatchObject({ status: 401 });
      expect(compared.takeOutcome()).toEqual({ compared: 1, differences: [] });
    },
  );

  it.each(['/', '/shop', '/other'])(
    'judges cookies alike with accessTokenPath %s',
    async (accessTokenPath) => {
      const compared = await Compared.start(adapter, { antiCsrf: 'NONE', accessTokenPath });
      const { 'a cookie': cookie = {} } = places(compared.token);
      await compared.compare('cookie', 'GET', cookie);
      expect(compared.takeOutcome()).toEqual({ compared: 1, differences: [] });
    },
  );
});

type Options = NonNullable<Parameters<ReturnType<typeof TestApplication.on>['with']>[0]>;

/** One application, its door, and the requests to which the two responded differently. */
class Compared {
  private readonly differences: object[] = [];
  private count = 0;

  private constructor(
    readonly application: TestApplication,
    readonly client: SessionClient,
    readonly token: string,
    private readonly door: SessionVerifier,
  ) {}

  /** @param issuing options of the application that signs in, where the one that verifies would refuse to */
  static async start(adapter: Adapter, options: Options, issuing: Options = options): Promise<Compared> {
    const { globalClaimValidators: claims = [], ...rest } = options;
    const issuer = await TestApplication.on(adapter).with(issuing).start();
    const application =
      issuing === options ? issuer : await TestApplication.on(adapter).with(options).start();
    const client = await issuer.signedIn('header');
    const door = createSessionVerifier({
      ...(rest as object),
      apiDomain: SHOP.apiDomain,
      websiteDomain: SHOP.websiteDomain,
      jwksUri: `http://127.0.0.1:${application.port}/auth/jwt/jwks.json`,
      claims,
      clock: application.clock,
    });
    return new Compared(application, client, client.accessToken ?? '', door);
  }

  /** Sends one request to both. @returns the door's response */
  async compare(name: string, method: string, headers: Headers): Promise<object> {
    this.count++;
    const { 'content-type': type, ...others } = headers; // the client sets it, beside a body
    const body = type === undefined ? {} : { body: {} };
    const guard = await this.application.send({ path: '/me', method, headers: others, ...body });
    const expected = {
      status: guard.status,
      text: guard.status === 200 || method === 'HEAD' ? '' : guard.text,
    };
    const found = await this.ask(method, headers);
    if (JSON.stringify(found) !== JSON.stringify(expected))
      this.differences.push({ name, method, headers, expected, found });
    return found;
  }

  /** The requests since the last call: how many there were, and those with different responses. */
  takeOutcome(): { compared: number; differences: object[] } {
    const compared = this.count;
    this.count = 0;
    return { compared, differences: this.differences.splice(0) };
  }

  private async ask(method: string, headers: Headers): Promise<object> {
    const url = `http://127.0.0.1:${this.application.port}/me`;
    try {
      await this.door.verify(new Request(url, { method, headers }));
      return { status: 200, text: '' };
    } catch (error) {
      const response = sessionErrorResponse(error);
      if (response === undefined) throw error;
      return { status: response.status, text: method === 'HEAD' ? '' : await response.text() };
    }
  }
}
