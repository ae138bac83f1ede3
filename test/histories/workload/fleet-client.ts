import type { AdministratorOrder } from '../application/settings.js';
import { monotonicMs } from '../application/stepped-clock.js';
import type { Actor, AccessToken, CallResult, Asked, Call, ServedAt } from '../checker/history.js';
import { LARGEST_STEP_MS } from '../fleet/faults.js';
import type { HttpResponse } from '../fleet/http-call.js';
import type { InstanceProcess } from '../fleet/instance-process.js';
import { readAccessToken, storedNames, type HeldTokens, type SessionRecord } from './session-record.js';

/** The longest wait of a client that may give a call up, milliseconds, and that of one in so many calls. */
const PATIENCE_MS = 6000;
const SHORT_PATIENCE_MS = 250;
const SHORT_ONE_IN = 12;

/** A response, and the times and clocks of the call; no response: its outcome is unknown. */
export interface Exchange extends Pick<Call, 'instance' | 'beganMs' | 'clock' | 'isInDoubt'> {
  readonly endedMs: number;
  readonly response: HttpResponse | undefined;
}

export interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly token?: string;
  readonly body?: object;
  /** Waits until the response comes or the connection is lost: a browser does not give a refresh up. */
  readonly isPatient?: boolean;
}

/** The result of a call, for its caller; undefined: unknown. */
export interface Brought {
  readonly result: CallResult | undefined;
  readonly tokens: HeldTokens | undefined;
}

/** How long another instance may not know of sessions that were ended: the bound of the feed, and as much again for a busy machine. */
const FEED_MS = 4000;
/** How long a call without a response may still end sessions. */
const UNKNOWN_END_MS = 60_000;

/** Sends calls to any of the instances, and counts them. */
export class FleetClient {
  readonly counts = new Map<string, number>();
  /** Responses that are none of the protocol's. */
  readonly unexpected: string[] = [];
  calls = 0;
  private ids = 0;
  private doubts: { readonly instance: string; untilMs: number }[] = [];

  constructor(
    private readonly instances: readonly InstanceProcess[],
    private readonly random: () => number,
    private readonly epochMs: number,
  ) {}

  nextId(): number {
    return this.ids++;
  }

  async exchange({ isPatient = false, ...request }: Request): Promise<Exchange> {
    const up = this.instances.filter(({ isUp }) => isUp);
    const instance = up[Math.floor(this.random() * up.length)] ?? this.instances[0];
    if (instance === undefined) throw new Error('There is no instance');
    const { name } = instance;
    const patienceMs = this.random() * SHORT_ONE_IN < 1 ? SHORT_PATIENCE_MS : PATIENCE_MS;
    const beganMs = monotonicMs();
    const response = await instance
      .send({ ...request, patienceMs: isPatient ? undefined : patienceMs })
      .catch(() => undefined);
    const endedMs = monotonicMs();
    this.calls++;
    const highest = Math.ceil(this.epochMs + endedMs) + LARGEST_STEP_MS;
    const clock: ServedAt = { ...instance.clockBetween(beganMs, endedMs), highest };
    const isInDoubt = this.doubts.some((each) => each.instance === name && each.untilMs >= beganMs);
    // A 503 says that the store failed: what was asked may have happened, or may happen later.
    const known = response?.status === 503 ? undefined : response;
    return { instance: name, beganMs, endedMs, clock, response: known, ...(isInDoubt ? { isInDoubt } : {}) };
  }

  /** Makes a call that ends sessions which it cannot name. */
  async exchangeWithDoubt(request: Request): Promise<Exchange> {
    const doubts = this.instances.map(({ name }) => ({ instance: name, untilMs: Number.POSITIVE_INFINITY }));
    this.doubts.push(...doubts);
    const exchange = await this.exchange(request);
    for (const each of doubts)
      each.untilMs = exchange.endedMs + (exchange.response === undefined ? UNKNOWN_END_MS : FEED_MS);
    this.doubts = this.doubts.filter(({ untilMs }) => untilMs > exchange.endedMs - UNKNOWN_END_MS);
    return exchange;
  }

  count(kind: string, status: string): void {
    const name = `${kind} ${status}`;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /** Makes a call about one session, and records it. */
  async call(
    record: SessionRecord,
    actor: Actor,
    asked: Asked,
    request: Request,
    held?: HeldTokens,
  ): Promise<Brought> {
    const exchange = await this.exchange(request);
    return this.record(record, actor, asked, exchange, held);
  }

  record(record: SessionRecord, actor: Actor, asked: Asked, exchange: Exchange, held?: HeldTokens): Brought {
    const { response, endedMs, ...times } = exchange;
    const status = response && this.statusOf(response);
    const tokens = response && status === 'OK' ? tokensIn(response, asked, record, held) : undefined;
    const result: CallResult | undefined =
      response && status ? { status, ...given(response, asked, tokens) } : undefined;
    const call = { id: this.nextId(), actor, ...times, asked };
    record.add(result === undefined ? call : { ...call, endedMs, result });
    this.count(asked.kind, result?.status ?? 'unknown');
    return { result, tokens };
  }

  async order(record: SessionRecord, order: AdministratorOrder): Promise<Brought> {
    const asked =
      order.kind === 'merge' || order.kind === 'claim'
        ? { kind: order.kind, name: order.name }
        : { kind: order.kind };
    return this.call(record, 'administrator', asked, {
      method: 'POST',
      path: '/administrator',
      body: order,
    });
  }

  private statusOf({ status, text }: HttpResponse): CallResult['status'] | undefined {
    if (status === 401) {
      if (text.includes('token theft detected')) return 'THEFT';
      if (text.includes('try refresh token')) return 'TRY_REFRESH';
      if (text.includes('unauthorised')) return 'UNAUTHORISED';
    }
    if (status === 200 || status === 201) return text.includes('"done":false') ? 'GONE' : 'OK';
    this.unexpected.push(`${status} ${text.slice(0, 200)}`);
    return undefined;
  }
}

function header({ headers }: HttpResponse, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Returns the tokens that the client has after a response. */
function tokensIn(
  response: HttpResponse,
  asked: Asked,
  record: SessionRecord,
  held: HeldTokens | undefined,
): HeldTokens | undefined {
  const access = header(response, 'st-access-token');
  const refresh = header(response, 'st-refresh-token');
  const parent = asked.kind === 'refresh' ? asked.token : null;
  const refreshToken = refresh === undefined ? held?.refresh : record.refreshToken(refresh, parent);
  if (refreshToken === undefined) return undefined;
  // The token of a request may be older than the refresh token that the client holds by now.
  const of = refresh === undefined ? ofPresented(asked) : refreshToken.name;
  const token = access === undefined ? undefined : { text: access, token: readAccessToken(access, of) };
  const accessToken = token ?? held?.access;
  return accessToken && { access: accessToken, refresh: refreshToken };
}

function ofPresented(asked: Asked): string {
  return 'token' in asked && typeof asked.token !== 'string' ? asked.token.of : '';
}

function given(
  response: HttpResponse,
  asked: Asked,
  tokens: HeldTokens | undefined,
): Omit<CallResult, 'status'> {
  const accessToken: AccessToken | undefined =
    header(response, 'st-access-token') === undefined ? undefined : tokens?.access.token;
  const isNew = header(response, 'st-refresh-token') !== undefined;
  const result = {
    ...(isNew && tokens ? { refreshToken: tokens.refresh.name } : {}),
    ...(accessToken === undefined ? {} : { accessToken }),
  };
  if (asked.kind !== 'read' || response.text.includes('"done":false')) return result;
  const { data, payload } = JSON.parse(response.text) as { data?: object; payload?: object };
  return { ...result, data: storedNames(data), claims: storedNames(payload) };
}
