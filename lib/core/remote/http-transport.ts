import { Agent as HttpAgent, request as openHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as openHttps } from 'node:https';
import type { Socket } from 'node:net';
import { cloneJsonObject } from '../../util/json.js';
import { withPlainCause } from '../../util/plain-error.js';
import type { UserContext } from '../../util/user-context.js';
import type { CdiRequest } from './cdi-requests.js';
import type { CoreHost } from './host-pool.js';

/** Idle connections are closed after this, or earlier if the host announces it. */
const IDLE_CONNECTION_MS = 30_000;

/** A complete HTTP request. */
export interface HttpRequest {
  readonly method: string;
  /** http or https, query included. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** A complete HTTP response with any status. */
export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  readonly cacheControl: string | undefined;
  /** Read as UTF-8. */
  readonly body: string;
}

/** Why there is no response. `NOT_HTTP` and `TOO_LARGE`: bytes came, but no usable response. */
export type HttpFailureKind = 'NO_CONNECTION' | 'CONNECTION_LOST' | 'TIMEOUT' | 'NOT_HTTP' | 'TOO_LARGE';

/** A request without a response. The message contains neither the address nor the request. */
export class HttpFailure extends Error {
  constructor(
    readonly kind: HttpFailureKind,
    message: string,
    /** False only if no connection was made. */
    readonly mayHaveBeenReceived: boolean,
    /** The connection had served earlier requests, and no byte of a response came. */
    readonly isStaleConnection: boolean,
    options?: ErrorOptions,
  ) {
    super(message, withPlainCause(options));
    this.name = new.target.name;
  }
}

export interface HttpTransportOptions {
  /** For connecting, sending and the whole response together. */
  readonly timeoutMs: number;
  /** Longer responses are refused. */
  readonly maxResponseBytes: number;
}

/**
 * Sends one HTTP request and reads one response: no retries, no redirects, bounded in time and size.
 *
 * It uses `node:http` instead of `fetch`, because only `node:http` reports whether a connection was made, which
 * decides whether a call that must not be done twice may go to another host. It also lets the connections be closed
 * at shutdown.
 */
export class HttpTransport {
  private readonly keptConnections = {
    'http:': new HttpAgent({ keepAlive: true, timeout: IDLE_CONNECTION_MS }),
    'https:': new HttpsAgent({ keepAlive: true, timeout: IDLE_CONNECTION_MS }),
  };
  private readonly running = new Set<ClientRequest>();

  constructor(private readonly options: HttpTransportOptions) {}

  /**
   * @param isNewConnection use none of the connections that are kept open
   * @throws {HttpFailure}
   */
  async send(request: HttpRequest, { isNewConnection = false } = {}): Promise<HttpResponse> {
    const outgoing = this.open(request, isNewConnection);
    this.running.add(outgoing);
    const attempt = new Attempt(outgoing, this.options);
    try {
      outgoing.end(request.body);
      return await attempt.response;
    } finally {
      this.running.delete(outgoing);
    }
  }

  /** Ends the requests under way and closes the connections. */
  close(): void {
    for (const outgoing of this.running) outgoing.destroy(new Error('closed'));
    for (const agent of Object.values(this.keptConnections)) agent.destroy();
  }

  private open({ method, url, headers, body }: HttpRequest, isNewConnection: boolean): ClientRequest {
    const isTls = url.protocol === 'https:';
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    return (isTls ? openHttps : openHttp)(url, {
      method,
      headers: { ...headers, ...length },
      agent: isNewConnection ? false : this.keptConnections[isTls ? 'https:' : 'http:'],
    });
  }
}

/** One request under way: listens until the response is complete or has failed. */
class Attempt {
  readonly response: Promise<HttpResponse>;
  private readonly timer: NodeJS.Timeout;
  private isConnected = false;
  private hasResponded = false;
  private isSettled = false;
  private resolve!: (response: HttpResponse) => void;
  private reject!: (failure: HttpFailure) => void;

  constructor(
    private readonly outgoing: ClientRequest,
    private readonly options: HttpTransportOptions,
  ) {
    this.response = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    const { timeoutMs } = options;
    this.timer = setTimeout(
      () => this.fail('TIMEOUT', `no complete response within ${timeoutMs} ms`),
      timeoutMs,
    );
    outgoing.once('socket', (socket) => this.watchConnecting(socket));
    outgoing.once('response', (incoming) => this.read(incoming));
    outgoing.on('error', (error) => this.failAttempt(error));
    // Any other end of a request, an upgrade for example, must not leave the caller waiting.
    outgoing.once('close', () => this.fail('CONNECTION_LOST', 'the connection was closed'));
  }

  private watchConnecting(socket: Socket): void {
    if (this.outgoing.reusedSocket || !socket.connecting) {
      this.isConnected = true;
      return;
    }
    const connected = 'encrypted' in socket ? 'secureConnect' : 'connect';
    socket.once(connected, () => {
      this.isConnected = true;
    });
  }

  private read(incoming: IncomingMessage): void {
    this.hasResponded = true;
    const { maxResponseBytes } = this.options;
    const chunks: Buffer[] = [];
    let size = 0;
    const isTooLarge = (bytes: number): boolean => {
      if (bytes > maxResponseBytes) {
        this.fail('TOO_LARGE', `the response is longer than ${maxResponseBytes} bytes`);
      }
      return bytes > maxResponseBytes;
    };
    if (isTooLarge(Number(incoming.headers['content-length'] ?? 0))) return;
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (!isTooLarge(size)) chunks.push(chunk);
    });
    incoming.on('error', (error) => this.failAttempt(error));
    incoming.once('end', () => {
      if (!this.settle()) return;
      this.resolve({
        status: incoming.statusCode ?? 0,
        contentType: incoming.headers['content-type'] ?? '',
        cacheControl: incoming.headers['cache-control'],
        body: Buffer.concat(chunks).toString('utf8'),
      });
    });
  }

  private failAttempt(error: Error & { code?: string }): void {
    const code = error.code ?? error.message;
    if (code.startsWith('HPE_')) this.fail('NOT_HTTP', `what came back is not HTTP (${code})`, error);
    else if (this.isConnected) this.fail('CONNECTION_LOST', `the connection broke (${code})`, error);
    else this.fail('NO_CONNECTION', `no connection (${code})`, error);
  }

  private fail(kind: HttpFailureKind, message: string, cause?: Error): void {
    if (!this.settle()) return;
    const isStaleConnection = kind === 'CONNECTION_LOST' && this.outgoing.reusedSocket && !this.hasResponded;
    this.reject(new HttpFailure(kind, message, this.isConnected, isStaleConnection, cause && { cause }));
    this.outgoing.destroy();
  }

  /** @returns false if there is an outcome already, because only the first one counts */
  private settle(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    clearTimeout(this.timer);
    return true;
  }
}

/**
 * A request to the core as a network interceptor sees it. It carries tokens and the API key: do not log it.
 *
 * @publicApi
 */
export interface CoreNetworkRequest {
  /** Without the query. */
  url: string;
  method: 'get' | 'post' | 'put';
  /** Names in lower case. */
  headers: Record<string, string>;
  /** The query; undefined members are left out. Only on `get`. */
  params?: Record<string, string | number | boolean | undefined>;
  /** Becomes JSON; undefined members are left out. Not on `get`. */
  body?: unknown;
}

/**
 * Sees, and may change, each request to the core before it leaves: every attempt, the one for the version too, but not
 * the loading of the keys that tokens are verified with. The returned request is sent; `params` or `body` that are
 * left out stay as they were.
 *
 * @example
 * networkInterceptor: (request) => ({ ...request, headers: { ...request.headers, 'x-tracing': traceId() } })
 * @publicApi
 */
export type NetworkInterceptor = (
  request: CoreNetworkRequest,
  userContext: UserContext,
) => CoreNetworkRequest;

/**
 * Returns the request of one attempt at one host.
 *
 * @throws {TypeError} the interceptor made no http or https URL of it
 */
export function toHttpRequest(
  host: CoreHost,
  request: CdiRequest,
  headers: Readonly<Record<string, string>>,
  intercept: { interceptor: NetworkInterceptor | undefined; userContext: UserContext },
): HttpRequest {
  const { params, body } = request;
  const plain: CoreNetworkRequest = {
    url: host.origin + host.basePath + request.path,
    method: request.method.toLowerCase() as CoreNetworkRequest['method'],
    headers: { ...headers },
    // Each attempt has copies of its own: what an interceptor changes in place must not add up over repeats.
    ...(params && { params: { ...params } }),
    ...(body && { body: intercept.interceptor ? cloneJsonObject(body) : body }),
  };
  const { url, ...changed } = intercept.interceptor?.(plain, intercept.userContext) ?? plain;
  const content = changed.body ?? plain.body;
  return {
    method: request.method,
    url: withQuery(url, changed.params ?? plain.params),
    headers: changed.headers,
    body: content === undefined ? undefined : JSON.stringify(content),
  };
}

function withQuery(text: string, params: CoreNetworkRequest['params'] = {}): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new TypeError('The networkInterceptor returned something else than an http or https URL');
  }
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) url.searchParams.append(name, String(value));
  }
  return url;
}
