import { normalisePath } from '../options/domains.js';
import { sessionCorsHeaders } from '../http/session-cors-headers.js';
import { formatCookieHeader, type ReceivedCookie } from '../http/set-cookie.js';
import { isSessionRoute } from './checks/routes.js';
import { isSuccess, settledAnswer, type RecordedExchange } from './exchange.js';
import { FOREIGN_ORIGIN, routeUrl, type ApiAddress, type Exchanges } from './facts.js';
import type { Sender } from './http-sender.js';
import { givenTokens, sessionCookies, type GivenTokens, type SessionCookie } from './session-tokens.js';
import { isSent, jarAfter } from './browser-cookies.js';
import { signInContentType, signInUrl, type SignInRequest } from './sign-in-request.js';

/** Whom to ask about what. */
export interface InterviewPlan {
  readonly api: ApiAddress;
  readonly website: URL;
  readonly signIn: SignInRequest | undefined;
  /** Go out with every request, preflights included. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What the browser client sends with each request. */
const CLIENT_HEADERS = { rid: 'anti-csrf', 'fdi-version': '4.2', 'st-auth-mode': 'cookie' };
const MOVED_BASE_PATH = '/auth';

/** Asks the API the way a browser with the client would, one question after the other. */
export async function interview(plan: InterviewPlan, send: Sender): Promise<Exchanges> {
  const asking = new Interview(plan, send);
  const emptyRefresh = await asking.post(routeUrl(plan.api, 'refresh'));
  if (settledAnswer(emptyRefresh) === undefined) return { emptyRefresh };
  return {
    emptyRefresh,
    ...(await asking.aboutRoutes(emptyRefresh)),
    ...(await asking.aboutCors()),
    ...(await asking.probeSignIn()),
  };
}

class Interview {
  constructor(
    private readonly plan: InterviewPlan,
    private readonly sender: Sender,
  ) {}

  async aboutRoutes(emptyRefresh: RecordedExchange): Promise<Partial<Exchanges>> {
    if (!isSessionRoute(emptyRefresh)) return { elsewhere: await this.lookElsewhere(emptyRefresh) };
    const jwks = await this.send('GET', routeUrl(this.plan.api, 'jwks'));
    const discovery = await this.send('GET', routeUrl(this.plan.api, 'openIdDiscovery'));
    return { jwks, discovery };
  }

  async aboutCors(): Promise<Partial<Exchanges>> {
    const url = routeUrl(this.plan.api, 'refresh');
    const foreignPreflight = await this.preflight('POST', url, { origin: FOREIGN_ORIGIN });
    if (!this.isCrossOrigin) return { foreignPreflight };
    return { preflight: await this.preflight('POST', url), foreignPreflight };
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
      // A session can come with a redirect, too: it is ended, whatever is said about the redirect.
      ...(isSuccess(signIn) ? await this.probeSession(signIn) : await this.ending([signIn])),
    };
  }

  async post(url: string, headers: Readonly<Record<string, string>> = {}): Promise<RecordedExchange> {
    return this.send('POST', url, { ...CLIENT_HEADERS, ...headers });
  }

  /** Uses the session as a browser would, and ends it: nothing is to be left behind. */
  private async probeSession(signIn: RecordedExchange): Promise<Partial<Exchanges>> {
    const refreshUrl = routeUrl(this.plan.api, 'refresh');
    const credentials = this.credentialsAfter([signIn], refreshUrl, 'refresh');
    if (credentials === undefined) return this.ending([signIn]);
    const refresh = await this.post(refreshUrl, credentials);
    return { refresh, ...(await this.ending([signIn, refresh])) };
  }

  private async ending(answers: readonly RecordedExchange[]): Promise<Partial<Exchanges>> {
    const url = routeUrl(this.plan.api, 'signOut');
    const credentials = this.credentialsAfter(answers, url, 'access');
    if (credentials !== undefined) return { signOut: await this.post(url, credentials) };
    const cookies = answers.flatMap(sessionCookies).filter(({ isRemoval }) => !isRemoval);
    return cookies.length === 0
      ? {}
      : { cleanUp: await this.post(url, asHeaders(cookies, lastTokens(answers))) };
  }

  /** What a browser would send to `url` after these answers; undefined when the token that counts there is not among it. */
  private credentialsAfter(
    answers: readonly RecordedExchange[],
    url: string,
    kind: SessionCookie['kind'],
  ): Record<string, string> | undefined {
    const tokens = lastTokens(answers);
    if (tokens.transferMethod === 'header') {
      const token = kind === 'access' ? tokens.accessToken : tokens.refreshToken;
      return token === undefined ? undefined : { ...asHeaders([], tokens), authorization: `Bearer ${token}` };
    }
    const target = new URL(url);
    const cookies = jarAfter(answers.flatMap(sessionCookies), target).filter((cookie) =>
      isSent(cookie, target, this.plan.website),
    );
    return cookies.some((cookie) => cookie.kind === kind) ? asHeaders(cookies, tokens) : undefined;
  }

  private async lookElsewhere({ url }: RecordedExchange): Promise<RecordedExchange[]> {
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
      'access-control-request-headers': [...sessionCorsHeaders(), 'content-type'].toSorted().join(','),
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
        ...this.plan.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
  }

  private get isCrossOrigin(): boolean {
    return this.plan.api.origin !== this.plan.website.origin;
  }
}

/** The newest tokens: an answer may carry none. */
function lastTokens(answers: readonly RecordedExchange[]): GivenTokens {
  return givenTokens(answers.findLast((each) => givenTokens(each).transferMethod !== 'none'));
}

function asHeaders(cookies: readonly ReceivedCookie[], { antiCsrf }: GivenTokens): Record<string, string> {
  return {
    ...(antiCsrf === undefined ? {} : { 'anti-csrf': antiCsrf }),
    ...(cookies.length === 0 ? {} : { cookie: formatCookieHeader(cookies) }),
  };
}

/** Where the routes may be instead: at the default, without a prefix, below the given path, at the root. */
function otherBasePaths(basePath: string): string[] {
  const shorter = normalisePath(`/${basePath.split('/').slice(2).join('/')}`);
  const others = [MOVED_BASE_PATH, `${basePath}${MOVED_BASE_PATH}`, shorter, ''];
  return [...new Set(others)].filter((other) => other !== basePath);
}
