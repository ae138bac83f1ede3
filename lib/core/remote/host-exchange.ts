import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../util/clock.js';
import type { UserContext } from '../../util/user-context.js';
import type { CdiRequest } from './cdi-requests.js';
import {
  attemptError,
  errorOfStatus,
  badResponse,
  unavailable,
  type CoreAttemptError,
} from './core-call-errors.js';
import { type CoreHost, HostPool, type CoreHostHealth } from './host-pool.js';
import {
  HttpTransport,
  HttpFailure,
  type HttpResponse,
  type HttpRequest,
  toHttpRequest,
} from './http-transport.js';
import type { RemoteCoreConfig } from './remote-core-config.js';
import type { HostResponse } from './cdi-responses.js';

/** Waits; rejects early when the signal is aborted. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** A call without its host. */
export interface PreparedCall {
  readonly request: CdiRequest;
  readonly headers: Readonly<Record<string, string>>;
  readonly userContext: UserContext;
}

/** The outcome of one attempt: a response, or the failure. */
type Attempted =
  | { readonly host: CoreHost; readonly response: HttpResponse }
  | { readonly host: CoreHost; readonly failure: HttpFailure };

/**
 * Sends a call to one of the hosts: order, failover, retries. It does not parse responses and knows no versions.
 */
export class HostExchange {
  private readonly transport: HttpTransport;
  private readonly pool: HostPool;
  private readonly closing = new AbortController();

  /** @param probe returns the call by which a failed host is probed */
  constructor(
    private readonly config: RemoteCoreConfig,
    clock: Clock,
    private readonly probe: () => PreparedCall,
    private readonly sleep: Sleep = async (ms, signal) => delay(ms, undefined, { signal }),
  ) {
    const { requestTimeoutMs, maxResponseBytes } = config;
    this.transport = new HttpTransport({ timeoutMs: requestTimeoutMs, maxResponseBytes });
    this.pool = new HostPool(config.hosts, clock, async (host) => this.isAlive(host));
  }

  get health(): CoreHostHealth[] {
    return this.pool.health;
  }

  /**
   * @returns a response with status 200
   * @throws {CoreUnavailableError} no host responded, or the hosts cannot for now (status 429, 502, 503, 504)
   * @throws {CoreBadInputError} status 400
   * @throws {CoreResponseError} any other status, no HTTP, or a response that is too long
   */
  async send(call: PreparedCall): Promise<HostResponse> {
    const { request } = call;
    const failures: CoreAttemptError[] = [];
    const rateLimitRepeats = new Map<CoreHost, number>();
    const onNewConnection = new Set<CoreHost>();
    const queue = this.pool.candidates();
    for (let host = queue.shift(); host !== undefined && !this.isClosed; host = queue.shift()) {
      // A kept connection may be closed by now, and then it cannot be known whether the core read the request. A call
      // that must not be done twice is therefore sent on a new one: sign-ins do not fail after a quiet minute, and none
      // leaves a second session behind.
      const isNewConnection = !request.isRepeatable || onNewConnection.has(host);
      const attempted = await this.attempt(host, call, isNewConnection);
      const repeats = rateLimitRepeats.get(host) ?? 0;
      const step = nextStep(attemptOutcome(attempted), {
        isRepeatable: request.isRepeatable && !(request.mustNotOverlap === true && mayStillRun(attempted)),
        rateLimitRepeats: repeats,
        isOnNewConnection: onNewConnection.has(host),
      });
      if (step === 'TAKE') return this.take(request, attempted, failures);
      failures.push(toAttemptError(request, attempted));
      if (step === 'RETRY_ON_NEW_CONNECTION') {
        onNewConnection.add(host);
        queue.unshift(host);
      } else if (step === 'WAIT_AND_RETRY') {
        rateLimitRepeats.set(host, repeats + 1);
        queue.push(host);
        await this.pause(rateLimitDelayMs(repeats));
      }
    }
    throw unavailable(request, failures, this.isClosed ? 'the client is closed' : 'all hosts hang');
  }

  /** Ends the calls under way; later calls fail. */
  close(): void {
    this.closing.abort();
    this.transport.close();
  }

  private get isClosed(): boolean {
    return this.closing.signal.aborted;
  }

  private async attempt(host: CoreHost, call: PreparedCall, isNewConnection: boolean): Promise<Attempted> {
    const wire = this.httpRequest(host, call);
    try {
      const response = await this.transport.send(wire, { isNewConnection });
      if (isUnreached(response)) this.pool.failed(host, { isTimeout: false });
      else this.pool.responded(host);
      return { host, response };
    } catch (failure) {
      if (!(failure instanceof HttpFailure)) throw failure;
      // A kept connection that was closed is no failure of the host.
      if (!failure.isStaleConnection) this.pool.failed(host, { isTimeout: failure.kind === 'TIMEOUT' });
      return { host, failure };
    }
  }

  /** The attempt decides the call. */
  private take(
    request: CdiRequest,
    attempted: Attempted,
    earlier: readonly CoreAttemptError[],
  ): HostResponse {
    const { host } = attempted;
    if ('response' in attempted && attempted.response.status === 200) return { ...attempted.response, host };
    if ('response' in attempted && !isTemporary(attempted.response)) {
      throw errorOfStatus(request, host, attempted.response, [this.config.apiKey]);
    }
    const failure = toAttemptError(request, attempted);
    throw isBadResponse(attempted) ? badResponse(failure) : unavailable(request, [...earlier, failure]);
  }

  private async isAlive(host: CoreHost): Promise<boolean> {
    try {
      const wire = this.httpRequest(host, this.probe());
      return !isUnreached(await this.transport.send(wire, { isNewConnection: true }));
    } catch {
      return false; // the reason makes no difference
    }
  }

  private httpRequest(host: CoreHost, { request, headers, userContext }: PreparedCall): HttpRequest {
    const { networkInterceptor: interceptor } = this.config;
    return toHttpRequest(host, request, headers, { interceptor, userContext });
  }

  private async pause(ms: number): Promise<void> {
    try {
      await this.sleep(ms, this.closing.signal);
    } catch (error) {
      if (!this.isClosed) throw error;
    }
  }
}

/** Whether the core may still be at work on the attempt, because only the wait for it is over. */
function mayStillRun(attempted: Attempted): boolean {
  return 'failure' in attempted ? attempted.failure.kind === 'TIMEOUT' : attempted.response.status === 504;
}

function attemptOutcome(attempted: Attempted): AttemptOutcome {
  if ('response' in attempted) {
    const { response } = attempted;
    return isNotStarted(response) ? { kind: 'NOT_STARTED' } : { kind: 'RESPONSE', status: response.status };
  }
  if (isBadResponse(attempted)) return { kind: 'BAD_RESPONSE' };
  const { mayHaveBeenReceived, isStaleConnection } = attempted.failure;
  return { kind: 'NO_RESPONSE', mayHaveBeenReceived, isStaleConnection };
}

function isBadResponse(attempted: Attempted): boolean {
  return 'failure' in attempted && ['NOT_HTTP', 'TOO_LARGE'].includes(attempted.failure.kind);
}

function toAttemptError(request: CdiRequest, attempted: Attempted): CoreAttemptError {
  if ('failure' in attempted) {
    const { message, cause } = attempted.failure;
    return attemptError(request, attempted.host, message, cause instanceof Error ? { cause } : {});
  }
  return attemptError(request, attempted.host, describeResponse(attempted.response), {
    status: attempted.response.status,
  });
}

/** Retries after status 429, for each host and call. */
const MAX_RATE_LIMIT_REPEATS = 5;
/** Statuses of a gateway that got no response from its core. */
const GATEWAY_TROUBLE: readonly number[] = [502, 503, 504];
const RATE_LIMITED = 429;

/** How an attempt at one host ended. */
export type AttemptOutcome =
  | { readonly kind: 'RESPONSE'; readonly status: number }
  /** The response of a server whose core does not run yet, so that nothing was done. */
  | { readonly kind: 'NOT_STARTED' }
  | {
      /** No connection, a connection that broke, or no response in time. */
      readonly kind: 'NO_RESPONSE';
      /** False only if no connection was made, so that the host cannot have read a byte. */
      readonly mayHaveBeenReceived: boolean;
      /**
       * The connection had served earlier calls and broke before any response: most likely the host had closed it.
       */
      readonly isStaleConnection: boolean;
    }
  /** Something came back that is no response of a core: no HTTP, or more than may be read. */
  | { readonly kind: 'BAD_RESPONSE' };

export interface CallProgress {
  /** Whether the core may do the call twice without harm. */
  readonly isRepeatable: boolean;
  /** How often this host has sent 429 before, in this call. */
  readonly rateLimitRepeats: number;
  /** Whether this host was already called again because of a stale connection. */
  readonly isOnNewConnection: boolean;
}

/** The step after an attempt. `TAKE`: its outcome is the outcome of the call, good or bad. */
export type NextStep = 'TAKE' | 'TRY_NEXT_HOST' | 'RETRY_ON_NEW_CONNECTION' | 'WAIT_AND_RETRY';

/**
 * Returns the step after an attempt.
 *
 * A call that must not be done twice is sent again only if it certainly was not done: without a connection, or after
 * a refusal by rate limiting.
 *
 * @see docs/protocol/core.md A7, A9
 */
export function nextStep(outcome: AttemptOutcome, progress: CallProgress): NextStep {
  switch (outcome.kind) {
    case 'BAD_RESPONSE':
      return 'TAKE';
    case 'NOT_STARTED':
      return 'TRY_NEXT_HOST';
    case 'RESPONSE':
      if (outcome.status === RATE_LIMITED && progress.rateLimitRepeats < MAX_RATE_LIMIT_REPEATS) {
        return 'WAIT_AND_RETRY';
      }
      return isGatewayTrouble(outcome.status) && progress.isRepeatable ? 'TRY_NEXT_HOST' : 'TAKE';
    case 'NO_RESPONSE':
      if (!outcome.mayHaveBeenReceived) return 'TRY_NEXT_HOST';
      if (!progress.isRepeatable) return 'TAKE';
      return outcome.isStaleConnection && !progress.isOnNewConnection
        ? 'RETRY_ON_NEW_CONNECTION'
        : 'TRY_NEXT_HOST';
  }
}

/** Returns how long to wait before the next retry after status 429: 10, 260, 510, 760, 1010 milliseconds. */
export function rateLimitDelayMs(repeatsBefore: number): number {
  return 10 + 250 * repeatsBefore;
}

/** True for the statuses of a gateway whose host did not respond. */
function isGatewayTrouble(status: number): boolean {
  return GATEWAY_TROUBLE.includes(status);
}

/**
 * True for a 404 that is not a Core's own, whose text is `Not found`: the server around a core that is starting sends an
 * HTML page for every path.
 *
 * @see docs/protocol/core.md A9
 */
function isNotStarted({ status, body }: HttpResponse): boolean {
  return status === 404 && body.trim() !== 'Not found';
}

/** True for responses of which the core knows nothing. */
function isUnreached(response: HttpResponse): boolean {
  return isGatewayTrouble(response.status) || isNotStarted(response);
}

/** True for the responses after which the same call may work a little later. */
export function isTemporary(response: HttpResponse): boolean {
  return response.status === RATE_LIMITED || isUnreached(response);
}

/** Describes a response for the error of its attempt. */
export function describeResponse(response: HttpResponse): string {
  return isNotStarted(response)
    ? 'status 404 without the text of a core; it may be starting, or the path in connectionURI is wrong'
    : `status ${response.status}`;
}
