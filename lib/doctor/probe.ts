import { normalisePath } from '../options/domains.js';
import { CLIENT_HEADERS as CORS_HEADERS } from '../http/session-cors-headers.js';
import { formatCookieHeader, type ReceivedCookie } from '../http/set-cookie.js';
import { isSessionRoute } from './checks/routes.js';
import { isSuccess, finalResponse, presentExchanges, type RecordedExchange } from './exchange.js';
import { FOREIGN_ORIGIN, routeUrl, type ApiAddress, type Exchanges } from './facts.js';
import type { Sender } from './http-sender.js';
import { probeDevice, readOffer } from './probe-device.js';
import { readTokens, sessionCookies, type ReceivedTokens, type SessionCookie } from './session-tokens.js';
import { isSent, jarAfter } from './browser-cookies.js';
import { isSameSite } from './site.js';
import { signInContentType, signInUrl, type SignInRequest } from './sign-in-request.js';

/** The requests that the probe sends. */
export interface ProbePlan {
  readonly api: ApiAddress;
  readonly website: URL;
  readonly signIn: SignInRequest | undefined;
  /** A route that needs a session. */
  readonly guarded: SignInRequest | undefined;
  /** Sent with every request, preflights included. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The headers that the browser client sends with each request. */
const CLIENT_HEADERS = { rid: 'anti-csrf', 'fdi-version': '4.2', 'st-auth-mode': 'cookie' };
const MOVED_BASE_PATH = '/auth';

/** Sends the requests that a browser with the client would send, one after the other. */
export async function probe(plan: ProbePlan, send: Sender): Promise<Exchanges> {
  const prober = new Prober(plan, send);
  const emptyRefresh = await prober.post(routeUrl(plan.api, 'refresh'));
  if (finalResponse(emptyRefresh) === undefined) return { emptyRefresh };
  return {
    emptyRefresh,
    ...(await prober.probeRoutes(emptyRefresh)),
    ...(await prober.probeCors()),
    ...(await prober.probeGuardedRoute()),
    ...(await prober.probeSignIn()),
  };
}

class Prober {
  private boundCookies: readonly ReceivedCookie[] = [];

  constructor(
    private readonly plan: ProbePlan,
    private readonly sender: Sender,
  ) {}

  async probeRoutes(emptyRefresh: RecordedExchange): Promise<Partial<Exchanges>> {
    if (!isSessionRoute(emptyRefresh)) return { otherPaths: await this.probeOtherPaths(emptyRefresh) };
    const jwks = await this.send('GET', routeUrl(this.plan.api, 'jwks'));
    const discovery = await this.send('GET', routeUrl(this.plan.api, 'openIdDiscovery'));
    return { jwks, discovery };
  }

  async probeCors(): Promise<Partial<Exchanges>> {
    const url = routeUrl(this.plan.api, 'refresh');
    const foreignPreflight = await this.preflight('POST', url, { origin: FOREIGN_ORIGIN });
    if (!this.isCrossOrigin) return { foreignPreflight };
    return { preflight: await this.preflight('POST', url), foreignPreflight };
  }

  async probeGuardedRoute(): Promise<Partial<Exchanges>> {
    const { guarded: request, api } = this.plan;
    if (request === undefined) return {};
    return { guarded: await this.send(request.method, signInUrl(request, api), CLIENT_HEADERS) };
  }

  async probeSignIn(): Promise<Partial<Exchanges>> {
    const { signIn: request, api } = this.plan;
    if (request === undefined) return {};
    const url = signInUrl(request, api);
    const contentType = signInContentType(request);
    const typeHeader: Record<string, string> =
      contentType === undefined ? {} : { 'content-type': contentType };
    const signInPreflight = this.isCrossOrigin ? await this.preflight(request.method, url) : undefined;
    const signIn = await this.send(request.method, url, { ...CLIENT_HEADERS, ...typeHeader }, request.body);
    return {
      ...(signInPreflight === undefined ? {} : { signInPreflight }),
      signIn,
      // A redirect can carry a session, too: end it in either case.
      ...(isSuccess(signIn) ? await this.probeSession(signIn) : await this.endSession([signIn])),
    };
  }

  async post(url: string, headers: Readonly<Record<string, string>> = {}): Promise<RecordedExchange> {
    return this.send('POST', url, { ...CLIENT_HEADERS, ...headers });
  }

  /** Refreshes the session as a browser would, and ends it, so that none is left behind. */
  private async probeSession(signIn: RecordedExchange): Promise<Partial<Exchanges>> {
    const refreshUrl = routeUrl(this.plan.api, 'refresh');
    const credentials = this.createCredentials([signIn], refreshUrl, 'refresh');
    if (credentials === undefined) return this.endSession([signIn]);
    const device = await this.probeDevice(signIn);
    // A registration brings another access token.
    const before = presentExchanges(signIn, device.registerDevice);
    const refresh = await this.post(refreshUrl, this.createCredentials(before, refreshUrl, 'refresh'));
    return { ...device, refresh, ...(await this.endSession([...before, refresh])) };
  }

  /** Binds the session, as a browser does that can; browsers do that over https only, and only for cookies. */
  private async probeDevice(signIn: RecordedExchange): Promise<Partial<Exchanges>> {
    const { api } = this.plan;
    if (!api.origin.startsWith('https:') || readTokens(signIn).transferMethod !== 'cookie') return {};
    const url = readOffer(signIn)?.url;
    const cookie =
      url === undefined ? undefined : this.createCredentials([signIn], url, 'access')?.['cookie'];
    const { exchanges, boundCookies } = await probeDevice(api, signIn, cookie, async (to, headers) =>
      this.send('POST', to, headers),
    );
    this.boundCookies = boundCookies;
    return exchanges;
  }

  private async endSession(responses: readonly RecordedExchange[]): Promise<Partial<Exchanges>> {
    const url = routeUrl(this.plan.api, 'signOut');
    const credentials = this.createCredentials(responses, url, 'access');
    if (credentials !== undefined) return { signOut: await this.post(url, credentials) };
    const cookies = responses.flatMap(sessionCookies).filter(({ isRemoval }) => !isRemoval);
    return cookies.length === 0
      ? {}
      : { cleanUp: await this.post(url, createSessionHeaders(cookies, lastTokens(responses))) };
  }

  /** The headers a browser would send to `url` after these responses; undefined when the required token is not among them. */
  private createCredentials(
    responses: readonly RecordedExchange[],
    url: string,
    kind: SessionCookie['kind'],
  ): Record<string, string> | undefined {
    const tokens = lastTokens(responses);
    if (tokens.transferMethod === 'header') {
      const token = kind === 'access' ? tokens.accessToken : tokens.refreshToken;
      return token === undefined
        ? undefined
        : { ...createSessionHeaders([], tokens), authorization: `Bearer ${token}` };
    }
    const target = new URL(url);
    const cookies = jarAfter(responses.flatMap(sessionCookies), target).filter((cookie) =>
      isSent(cookie, target, this.plan.website),
    );
    return cookies.some((cookie) => cookie.kind === kind)
      ? createSessionHeaders([...cookies, ...this.boundCookies], tokens)
      : undefined;
  }

  private async probeOtherPaths({ url }: RecordedExchange): Promise<RecordedExchange[]> {
    const { api } = this.plan;
    const found: RecordedExchange[] = [];
    for (const basePath of otherBasePaths(api.basePath)) {
      const candidate = routeUrl({ ...api, basePath }, 'refresh');
      if (candidate !== url) found.push(await this.post(candidate));
      if (found.some(isSessionRoute)) break;
    }
    return found;
  }

  private async preflight(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RecordedExchange> {
    return this.send('OPTIONS', url, {
      'access-control-request-method': method,
      'access-control-request-headers': [...CORS_HEADERS, 'content-type'].toSorted().join(','),
      ...headers,
    });
  }

  private async send(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string,
  ): Promise<RecordedExchange> {
    return this.sender({
      method,
      url,
      headers: {
        'user-agent': 'nest-sessions-doctor',
        origin: this.plan.website.origin,
        'sec-fetch-site': this.fetchSite,
        ...this.plan.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
  }

  /** The value of `Sec-Fetch-Site` with which a browser tells where the page is that sends the request. */
  private get fetchSite(): 'same-origin' | 'same-site' | 'cross-site' {
    if (!this.isCrossOrigin) return 'same-origin';
    return isSameSite(new URL(this.plan.api.origin), this.plan.website) ? 'same-site' : 'cross-site';
  }

  private get isCrossOrigin(): boolean {
    return this.plan.api.origin !== this.plan.website.origin;
  }
}

/** The newest tokens, because a response may carry none. */
function lastTokens(responses: readonly RecordedExchange[]): ReceivedTokens {
  const all = responses.map(readTokens);
  const last = all.findLast(({ transferMethod }) => transferMethod !== 'none') ?? readTokens(undefined);
  const antiCsrf = last.antiCsrf ?? all.findLast((each) => each.antiCsrf !== undefined)?.antiCsrf;
  return { ...last, antiCsrf };
}

function createSessionHeaders(
  cookies: readonly ReceivedCookie[],
  { antiCsrf }: ReceivedTokens,
): Record<string, string> {
  return {
    ...(antiCsrf === undefined ? {} : { 'anti-csrf': antiCsrf }),
    ...(cookies.length === 0 ? {} : { cookie: formatCookieHeader(cookies) }),
  };
}

/** Other base paths of the routes: the default, without a prefix, below the given path, the root. */
function otherBasePaths(basePath: string): string[] {
  const shorter = normalisePath(`/${basePath.split('/').slice(2).join('/')}`);
  const others = [MOVED_BASE_PATH, `${basePath}${MOVED_BASE_PATH}`, shorter, ''];
  return [...new Set(others)].filter((other) => other !== basePath);
}
