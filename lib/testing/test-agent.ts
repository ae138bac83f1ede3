import type { ResponseHeaders, ClientTokens } from './client-tokens.js';
import type { ApplicationConnection, IncomingResponse } from './application-connection.js';
import type { SessionWire } from './session-wire.js';

/**
 * A request of an agent.
 *
 * @publicApi
 */
export interface TestRequest {
  /** Default `GET`. */
  readonly method?: string;
  /** Path and query, from the application's root: `/orders?page=2`. */
  readonly path: string;
  /** Beside those of the session; where both name one, these count. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; text and bytes are sent as they are. */
  readonly body?: unknown;
}

/**
 * What the application answered.
 *
 * @publicApi
 */
export interface TestResponse {
  readonly status: number;
  /** By names in lower case; `set-cookie` is a list. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body read as JSON; undefined where it is none. */
  readonly body: unknown;
}

/**
 * What supertest, `app.inject` and `fetch` answer, as far as an agent looks at it.
 *
 * @publicApi
 */
export type ForeignResponse = ({ readonly status: number } | { readonly statusCode: number }) & {
  readonly headers:
    Readonly<Record<string, unknown>> | { get(name: string): string | null; getSetCookie(): string[] };
};

/**
 * A client of the application under test that treats its session as a browser does: it keeps the tokens that answers
 * set, drops those that they clear, sends the anti-CSRF token, and when its access token has expired it refreshes and
 * sends the request again. Requests that run at once share one refresh.
 *
 * @example
 * const agent = await sessions.agent({ userId: 'user-1' });
 * const answer = await agent.get('/orders');
 * expect(answer.status).toBe(200);
 * @publicApi
 */
export class TestAgent {
  private refreshing: Promise<TestResponse> | undefined;

  /** @internal */
  constructor(
    private readonly connection: ApplicationConnection,
    private readonly tokens: ClientTokens,
    private readonly wire: SessionWire,
    private readonly autoRefresh: boolean,
  ) {}

  async get(path: string, headers?: TestRequest['headers']): Promise<TestResponse> {
    return this.send(createRequest('GET', path, undefined, headers));
  }

  async post(path: string, body?: unknown, headers?: TestRequest['headers']): Promise<TestResponse> {
    return this.send(createRequest('POST', path, body, headers));
  }

  async put(path: string, body?: unknown, headers?: TestRequest['headers']): Promise<TestResponse> {
    return this.send(createRequest('PUT', path, body, headers));
  }

  async patch(path: string, body?: unknown, headers?: TestRequest['headers']): Promise<TestResponse> {
    return this.send(createRequest('PATCH', path, body, headers));
  }

  async delete(path: string, headers?: TestRequest['headers']): Promise<TestResponse> {
    return this.send(createRequest('DELETE', path, undefined, headers));
  }

  /** Sends any request. */
  async send(request: TestRequest): Promise<TestResponse> {
    return this.withRefresh(async () => this.sendOnce(request));
  }

  /**
   * Sends a request by the means of your own, supertest for example, with the headers of the session. It is sent again
   * after a refresh, so it must be made anew in each call.
   *
   * @param path what the request goes to; it decides which cookies are sent
   * @param request makes and sends the request with these headers
   * @example
   * await agent.sendWith('/files', (headers) => request(server).post('/files').set(headers).attach('file', bytes, 'a.txt'));
   */
  async sendWith<Answer extends ForeignResponse>(
    path: string,
    request: (headers: Record<string, string>) => PromiseLike<Answer>,
  ): Promise<Answer> {
    return this.withRefresh(async () => {
      const answer = await request({ ...this.wire.originHeaders(), ...this.tokens.requestHeaders(path) });
      this.tokens.keep(readForeignHeaders(answer.headers));
      return answer;
    });
  }

  /** Exchanges the refresh token, as the browser client does by itself. Calls that run at once share one request. */
  async refresh(): Promise<TestResponse> {
    this.refreshing ??= this.sendOnce({ method: 'POST', path: this.wire.routePath('refresh') }).finally(
      () => (this.refreshing = undefined),
    );
    return this.refreshing;
  }

  /** Ends the session by the application's sign-out route. */
  async signOut(): Promise<TestResponse> {
    return this.post(this.wire.routePath('signOut'));
  }

  /** Whether the client believes to have a session: it holds a refresh token. */
  get isSignedIn(): boolean {
    return this.wire.hasRefreshToken(this.tokens);
  }

  private async withRefresh<Answer extends ForeignResponse>(attempt: () => Promise<Answer>): Promise<Answer> {
    const sentWith = this.wire.readAccessToken(this.tokens);
    const answer = await attempt();
    if (!this.autoRefresh || readStatus(answer) !== this.wire.sessionExpiredStatusCode) return answer;
    // Another request that ran at the same time may have refreshed meanwhile.
    const isStale = sentWith === this.wire.readAccessToken(this.tokens);
    if (!this.isSignedIn || (isStale && (await this.refresh()).status !== 200)) return answer;
    return attempt();
  }

  private async sendOnce({ method = 'GET', path, headers = {}, body }: TestRequest): Promise<TestResponse> {
    const { payload, type } = encodeBody(body);
    const answer = await this.connection.send({
      method,
      path,
      payload,
      headers: {
        ...this.wire.originHeaders(),
        ...this.tokens.requestHeaders(path),
        ...(type === undefined ? {} : { 'content-type': type }),
        ...lowerCased(headers),
      },
    });
    this.tokens.keep(readForeignHeaders(answer.headers));
    return { ...answer, body: parseBody(answer) };
  }
}

function createRequest(
  method: string,
  path: string,
  body: unknown,
  headers: TestRequest['headers'],
): TestRequest {
  return { method, path, body, ...(headers === undefined ? {} : { headers }) };
}

function encodeBody(body: unknown): { payload: string | Uint8Array | undefined; type: string | undefined } {
  if (body === undefined) return { payload: undefined, type: undefined };
  if (typeof body === 'string' || body instanceof Uint8Array) return { payload: body, type: undefined };
  return { payload: JSON.stringify(body), type: 'application/json' };
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function parseBody({ headers, text }: IncomingResponse): unknown {
  const type = headers['content-type'];
  if (typeof type !== 'string' || !/[/+]json\b/.test(type)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // nothing, as to a HEAD, or what a test is to see in `text`
  }
}

function readStatus(answer: ForeignResponse): number {
  return 'status' in answer ? answer.status : answer.statusCode;
}

function readForeignHeaders(headers: ForeignResponse['headers']): ResponseHeaders {
  return {
    lines: (name) => {
      if (isFetchHeaders(headers)) {
        if (name === 'set-cookie') return headers.getSetCookie();
        const value = headers.get(name);
        return value === null ? [] : [value];
      }
      const value = headers[name];
      const lines: unknown[] = Array.isArray(value) ? value : [value];
      return lines.filter((line) => typeof line === 'string');
    },
  };
}

function isFetchHeaders(
  headers: ForeignResponse['headers'],
): headers is { get(name: string): string | null; getSetCookie(): string[] } {
  return typeof headers['get'] === 'function' && typeof headers['getSetCookie'] === 'function';
}
