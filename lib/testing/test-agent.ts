import type { TokenTransferMethod } from '../options/wire-options.js';
import { SingleFlight } from '../util/single-flight.js';
import type { ResponseHeaders, ClientTokens } from './client-tokens.js';
import type { ProofKey } from './proof-key.js';
import type { ApplicationConnection, IncomingResponse } from './application-connection.js';
import type { SessionWire } from './session-wire.js';

/**
 * Options of an agent.
 *
 * @publicApi
 */
export interface TestAgentOptions {
  /** Whether it is a browser (`cookie`, the default) or a client that sends its tokens itself (`header`). */
  transferMethod?: TokenTransferMethod;
  /** Whether it refreshes automatically when its access token has expired. Default true. */
  autoRefresh?: boolean;
  /**
   * Whether it has a key that its session is bound to, and sends a proof of it with each request, by header; for applications with
   * `deviceBound.dpop`. A request that lacks a nonce is repeated with it. Default false.
   */
  dpop?: boolean;
}

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
  /** Added to those of the session, which they override. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; text and bytes are sent unchanged. */
  readonly body?: unknown;
}

/**
 * A response of the application.
 *
 * @publicApi
 */
export interface TestResponse {
  readonly status: number;
  /** By names in lower case; `set-cookie` is a list. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body parsed as JSON; undefined when it is none. */
  readonly body: unknown;
}

/**
 * The parts of a response of supertest, `app.inject` or `fetch` that an agent reads.
 *
 * @publicApi
 */
export type ForeignResponse = ({ readonly status: number } | { readonly statusCode: number }) & {
  readonly headers:
    Readonly<Record<string, unknown>> | { get(name: string): string | null; getSetCookie(): string[] };
};

/**
 * A client of the application under test that treats its session as a browser does: it stores the tokens that responses
 * set, drops those that they clear, sends the anti-CSRF token, and when its access token has expired it refreshes and
 * sends the request again. Concurrent requests share one refresh.
 *
 * @example
 * const agent = await sessions.agent({ userId: 'user-1' });
 * const response = await agent.get('/orders');
 * expect(response.status).toBe(200);
 * @publicApi
 */
export class TestAgent {
  private readonly refreshing = new SingleFlight(async () =>
    this.sendOnce({ method: 'POST', path: this.wire.routePath('refresh') }),
  );

  /** @internal */
  constructor(
    private readonly connection: ApplicationConnection,
    private readonly holds: { readonly tokens: ClientTokens; readonly key: ProofKey | undefined },
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
   * Sends a request by another client, supertest for example, with the headers of the session. Each call of `request` must
   * make a new request, because it is called again after a refresh.
   *
   * @param path path of the request; it decides which cookies are sent
   * @param request makes and sends the request with these headers
   * @param method of the request, which an agent with `dpop` has to know
   * @example
   * await agent.sendWith('/files', (headers) => request(server).post('/files').set(headers).attach('file', bytes, 'a.txt'));
   */
  async sendWith<Received extends ForeignResponse>(
    path: string,
    request: (headers: Record<string, string>) => PromiseLike<Received>,
    method = 'GET',
  ): Promise<Received> {
    return this.withRefresh(async () => this.exchange(method, path, request));
  }

  /** Exchanges the refresh token, as the browser client does automatically. Concurrent calls share one request. */
  async refresh(): Promise<TestResponse> {
    return this.refreshing.run();
  }

  /** Ends the session by the application's sign-out route. */
  async signOut(): Promise<TestResponse> {
    return this.post(this.wire.routePath('signOut'));
  }

  /** True when the client holds a refresh token. */
  get isSignedIn(): boolean {
    return this.wire.hasRefreshToken(this.holds.tokens);
  }

  private async withRefresh<Received extends ForeignResponse>(
    attempt: () => Promise<Received>,
  ): Promise<Received> {
    const sentWith = this.wire.readAccessToken(this.holds.tokens);
    const response = await attempt();
    if (!this.autoRefresh || readStatus(response) !== this.wire.sessionExpiredStatusCode) return response;
    // A concurrent request may have refreshed meanwhile.
    const isStale = sentWith === this.wire.readAccessToken(this.holds.tokens);
    if (!this.isSignedIn || (isStale && (await this.refresh()).status !== 200)) return response;
    return attempt();
  }

  private async sendOnce({ method = 'GET', path, headers = {}, body }: TestRequest): Promise<TestResponse> {
    const { payload, type } = encodeBody(body);
    const response = await this.exchange(method, path, async (sessionHeaders) =>
      this.connection.send({
        method,
        path,
        payload,
        headers: {
          ...sessionHeaders,
          ...(type === undefined ? {} : { 'content-type': type }),
          ...lowerCased(headers),
        },
      }),
    );
    return { ...response, body: parseBody(response) };
  }

  /** Sends a request with what the agent holds, and keeps what the response brings. */
  private async exchange<Received extends ForeignResponse>(
    method: string,
    path: string,
    request: (headers: Record<string, string>) => PromiseLike<Received>,
  ): Promise<Received> {
    const { tokens, key } = this.holds;
    const attempt = async (): Promise<{ response: Received; lacksNonce: boolean }> => {
      const own = { ...this.wire.originHeaders(), ...tokens.requestHeaders(path) };
      const response = await request(key === undefined ? own : key.prove(method, path, own));
      const headers = readForeignHeaders(response.headers);
      tokens.keep(headers);
      return { response, lacksNonce: key?.keepNonce(readStatus(response), headers) === true };
    };
    const first = await attempt();
    return first.lacksNonce ? (await attempt()).response : first.response;
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
    return undefined; // empty, as for HEAD, or no JSON: `text` has it
  }
}

function readStatus(response: ForeignResponse): number {
  return 'status' in response ? response.status : response.statusCode;
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
