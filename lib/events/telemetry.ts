import type { Channel, TracingChannel } from 'node:diagnostics_channel';
import {
  CoreBadInputError,
  CoreResponseError,
  CoreUnavailableError,
  StoreFullError,
  SessionError,
  TooManySessionsError,
} from '../errors.js';
import {
  channels,
  type ChannelMessage,
  type CoreCallMessage,
  type SessionRefusedMessage,
  type SessionTraceMessage,
  type TraceMessage,
} from './channels.js';
import type {
  GaugeCallback,
  OpenTelemetryApi,
  TelemetryAttributes,
  TelemetryHistogram,
  TelemetrySpan,
} from './open-telemetry.js';
import type { Clock } from '../util/clock.js';
import { shortHandle } from './short-handle.js';
import type { SessionEvent } from './session-event.js';
import type { SessionEventHub } from './session-event-hub.js';

const SCOPE = 'nest-sessions';
/** Values of `SpanKind` and `SpanStatusCode` in OpenTelemetry's API. */
const KIND_CLIENT = 2;
const STATUS_ERROR = 2;

type Meter = ReturnType<OpenTelemetryApi['metrics']['getMeter']>;

interface ObservedKeys {
  readonly newestKeyMs?: number | undefined;
}

/** How the work of a tracing channel is shown. */
interface TraceView<Message extends TraceMessage> {
  readonly spanName: (message: Message) => string;
  readonly kind?: number;
  /** Attributes of the span and of its duration. */
  readonly attributes?: (message: Message) => TelemetryAttributes;
  /** Further attributes of the span after success. */
  readonly results?: (message: Message) => TelemetryAttributes;
  readonly durations?: TelemetryHistogram | undefined;
}

/**
 * Shows the sessions of one module in OpenTelemetry, as a subscriber of the {@link channels}. No attribute holds anything
 * that a client sent or that names a user; a session appears as a shortened hash of its handle.
 *
 * @see docs/guides/observability.md
 */
export class Telemetry {
  private readonly tracer: ReturnType<OpenTelemetryApi['trace']['getTracer']> | undefined;
  private readonly meter: Meter | undefined;
  private readonly unsubscribers: (() => void)[] = [];

  /**
   * @param api undefined without OpenTelemetry, which disables this class
   * @param source the events of the module; messages of other modules are ignored, and the end of its stream is the end of
   *   all subscriptions
   */
  constructor(
    api: OpenTelemetryApi | undefined,
    private readonly source: SessionEventHub,
  ) {
    this.tracer = api?.trace.getTracer(SCOPE);
    this.meter = api?.metrics.getMeter(SCOPE);
    source.atOnce.add({ complete: () => this.stop() });
  }

  /** Ends all subscriptions. Further calls have no effect. */
  stop(): void {
    for (const unsubscribe of this.unsubscribers.splice(0)) unsubscribe();
  }

  /** Shows the calls to the store or to the remote core. */
  observeCoreCalls(): void {
    const attributes = ({ operation }: CoreCallMessage): TelemetryAttributes => ({
      'nest_sessions.operation': operation,
    });
    this.trace(channels.coreCall, {
      spanName: ({ operation }) => operation,
      kind: KIND_CLIENT,
      attributes,
      durations: this.meter?.createHistogram('nest_sessions.core.call.duration', {
        description: 'Duration of calls to the store or to the remote core, by operation',
        unit: 's',
      }),
    });
  }

  /** Shows sessions that are created, verified, refreshed or refused, all events, and the number of remembered tokens. */
  observeSessions(tokens: { readonly cachedTokens: number }): void {
    const { meter } = this;
    if (meter === undefined) return;
    const results = ({ sessionHandle, tenantId }: SessionTraceMessage): TelemetryAttributes => ({
      ...(sessionHandle !== undefined && { 'nest_sessions.session': shortHandle(sessionHandle) }),
      ...(tenantId !== undefined && { 'nest_sessions.tenant_id': tenantId }),
    });
    this.trace(channels.sessionCreate, { spanName: () => 'session.create', results });
    this.trace(channels.sessionVerify, { spanName: () => 'session.verify', results });
    this.trace(channels.sessionRefresh, {
      spanName: () => 'session.refresh',
      results,
      durations: meter.createHistogram('nest_sessions.refresh.duration', {
        description: 'Duration of refreshes, by outcome',
        unit: 's',
      }),
    });
    this.countOutcomes(meter, tokens);
  }

  /** Shows what the feed of revocations is worth. */
  observeRevocations(
    watch: { readonly state: string; readonly ageMs: number; readonly size: number } | undefined,
  ): void {
    if (watch === undefined) return;
    this.show(
      'nest_sessions.revocations.age',
      {
        description:
          'How old the knowledge of sessions that ended in other instances may be, by state of the feed',
        unit: 's',
      },
      // Before the first read there is no finite age.
      () =>
        Number.isFinite(watch.ageMs)
          ? { value: watch.ageMs / 1000, attributes: { 'nest_sessions.state': watch.state } }
          : undefined,
    );
    this.show(
      'nest_sessions.revocations.stale',
      { description: '1 while it is not known which sessions have ended in other instances, otherwise 0' },
      () => ({ value: watch.state === 'stale' ? 1 : 0 }),
    );
    this.show(
      'nest_sessions.revocations.kept',
      { description: 'Ended sessions and cut-offs that are kept while tokens of them may be valid' },
      () => ({ value: watch.size }),
    );
  }

  /** Shows how old the signing keys are, and how many sessions there are. */
  observeCore(keys: ObservedKeys, sessions: { readonly count: number | undefined }, clock: Clock): void {
    this.show(
      'nest_sessions.signing_key.age',
      { description: 'Age of the newest rotating signing key that this process knows', unit: 's' },
      () =>
        keys.newestKeyMs === undefined
          ? undefined
          : { value: Math.max(0, clock.now() - keys.newestKeyMs) / 1000 },
    );
    this.show(
      'nest_sessions.live_sessions',
      { description: 'Live sessions of all instances, counted to 10000 about once a minute' },
      () => (sessions.count === undefined ? undefined : { value: sessions.count }),
    );
  }

  /** Shows a number that is read whenever the application's meter asks. */
  private show(
    name: string,
    options: { readonly description: string; readonly unit?: string },
    read: () => { readonly value: number; readonly attributes?: TelemetryAttributes } | undefined,
  ): void {
    if (this.meter === undefined) return;
    const gauge = this.meter.createObservableGauge(name, options);
    const callback: GaugeCallback = (result) => {
      const shown = read();
      if (shown !== undefined) result.observe(shown.value, shown.attributes);
    };
    gauge.addCallback(callback);
    this.unsubscribers.push(() => gauge.removeCallback(callback));
  }

  private countOutcomes(meter: Meter, tokens: { readonly cachedTokens: number }): void {
    const refusals = meter.createCounter('nest_sessions.refusals', {
      description: 'Requests whose session was not accepted, by reason',
    });
    this.subscribe<SessionRefusedMessage>(channels.sessionRefused, (message) =>
      refusals.add(1, { 'nest_sessions.reason': refusalReason(message) }),
    );
    const events = meter.createCounter('nest_sessions.events', {
      description: 'What happened to sessions, keys and the core, by type',
    });
    const count = ({ type }: SessionEvent): void => events.add(1, { 'nest_sessions.event': type });
    this.unsubscribers.push(this.source.atOnce.add({ next: count }));
    this.show(
      'nest_sessions.cached_tokens',
      { description: 'Access tokens that are remembered as verified' },
      () => ({ value: tokens.cachedTokens }),
    );
  }

  private subscribe<Message extends ChannelMessage>(
    channel: Channel<unknown, Message>,
    listener: (message: Message) => void,
  ): void {
    const listenToSource = (message: unknown): void => {
      if ((message as Message).source === this.source) listener(message as Message);
    };
    channel.subscribe(listenToSource);
    this.unsubscribers.push(() => channel.unsubscribe(listenToSource));
  }

  /** Puts the work of a channel into spans, which are active while it is done, and measures it. */
  private trace<Message extends TraceMessage>(
    tracing: TracingChannel<unknown, Message>,
    view: TraceView<Message>,
  ): void {
    const { tracer } = this;
    if (tracer === undefined) return;
    this.subscribe(tracing.start, (message) => {
      const attributes = view.attributes?.(message) ?? {};
      const kind = view.kind === undefined ? {} : { kind: view.kind };
      const { enclose } = message;
      message.enclose = async (work) =>
        tracer.startActiveSpan(view.spanName(message), { ...kind, attributes }, async (span) => {
          const trace = { span, attributes, startMs: performance.now(), message, view };
          try {
            await (enclose === undefined ? work() : enclose(work));
          } catch (error) {
            endTrace(trace, { error });
            throw error;
          }
          endTrace(trace);
        });
    });
  }
}

interface OpenTrace<Message extends TraceMessage> {
  readonly span: TelemetrySpan;
  readonly attributes: TelemetryAttributes;
  readonly startMs: number;
  readonly message: Message;
  readonly view: TraceView<Message>;
}

function endTrace<Message extends TraceMessage>(
  { span, attributes, startMs, message, view: { durations, results } }: OpenTrace<Message>,
  failure?: { readonly error: unknown },
): void {
  const outcome = { 'nest_sessions.outcome': failure === undefined ? 'OK' : findOutcome(failure.error) };
  durations?.record((performance.now() - startMs) / 1000, { ...attributes, ...outcome });
  if (span.isRecording()) {
    // The message of an error stays out: a driver or an application may have put a secret into it.
    span.setAttributes(failure === undefined ? { ...outcome, ...results?.(message) } : outcome);
    if (failure !== undefined && isFailure(failure.error)) span.setStatus({ code: STATUS_ERROR });
  }
  span.end();
}

/** Returns the kind of a refusal: the type of its error, or `NO_TOKEN`. */
export function refusalReason({ error, hasToken }: SessionRefusedMessage): string {
  const outcome = findOutcome(error);
  return outcome === 'UNAUTHORISED' && !hasToken ? 'NO_TOKEN' : outcome;
}

/** Returns one of a few words, so that metrics have few series. */
export function findOutcome(error: unknown): string {
  if (SessionError.isSessionError(error)) return error.type;
  if (error instanceof TooManySessionsError) return 'TOO_MANY_SESSIONS';
  if (error instanceof CoreBadInputError) return 'BAD_INPUT';
  if (error instanceof StoreFullError) return 'STORE_FULL';
  if (error instanceof CoreUnavailableError) return 'CORE_UNAVAILABLE';
  return error instanceof CoreResponseError ? 'CORE_RESPONSE' : 'ERROR';
}

/** True if the server failed; false if a rule refused the call as it should. */
function isFailure(error: unknown): boolean {
  return !(
    SessionError.isSessionError(error) ||
    error instanceof TooManySessionsError ||
    error instanceof StoreFullError ||
    error instanceof CoreBadInputError
  );
}
