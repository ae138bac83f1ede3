import {
  CoreBadInputError,
  CoreResponseError,
  CoreUnavailableError,
  StoreFullError,
  SessionError,
  TooManySessionsError,
} from '../errors.js';
import type { CallRecorder } from './call-recorder.js';
import type {
  GaugeCallback,
  OpenTelemetryApi,
  TelemetryAttributes,
  TelemetryCounter,
  TelemetryHistogram,
} from './open-telemetry.js';
import { shortHandle } from './printable.js';
import type { SessionEvents } from './session-events.js';

const SCOPE = 'nest-sessions';
/** Values of `SpanKind` and `SpanStatusCode` in OpenTelemetry's API. */
const KIND_CLIENT = 2;
const STATUS_ERROR = 2;

/** A session as far as spans tell of it. */
export interface TracedSession {
  getHandle(): string;
  getTenantId(): string;
}

/**
 * Sessions in OpenTelemetry: spans and metrics. No attribute is anything that a client sent or that names a user; a session
 * is told by a shortened hash of its handle.
 *
 * @see docs/guides/observability.md
 */
export class Telemetry implements CallRecorder {
  private readonly tracer: ReturnType<OpenTelemetryApi['trace']['getTracer']>;
  private readonly meter: ReturnType<OpenTelemetryApi['metrics']['getMeter']>;
  private readonly refusals: TelemetryCounter;
  private readonly refreshes: TelemetryHistogram;
  private readonly calls: TelemetryHistogram;

  constructor({ trace, metrics }: OpenTelemetryApi) {
    this.tracer = trace.getTracer(SCOPE);
    this.meter = metrics.getMeter(SCOPE);
    this.refusals = this.meter.createCounter('nest_sessions.refusals', {
      description: 'Requests whose session was not accepted, by reason',
    });
    this.refreshes = this.meter.createHistogram('nest_sessions.refresh.duration', {
      description: 'Duration of refreshes, by outcome',
      unit: 's',
    });
    this.calls = this.meter.createHistogram('nest_sessions.core.call.duration', {
      description: 'Duration of calls to the store or to the remote core, by operation',
      unit: 's',
    });
  }

  /** Counts events until the stream ends, and shows the number of remembered tokens until then. */
  observe(events: SessionEvents, tokens: { readonly cachedTokens: number }): void {
    const counter = this.meter.createCounter('nest_sessions.events', {
      description: 'What happened to sessions, keys and the core, by type',
    });
    const gauge = this.meter.createObservableGauge('nest_sessions.cached_tokens', {
      description: 'Access tokens that are remembered as verified',
    });
    const show: GaugeCallback = (result) => result.observe(tokens.cachedTokens);
    gauge.addCallback(show);
    events.immediate.subscribe({
      next: ({ type }) => counter.add(1, { 'nest_sessions.event': type }),
      complete: () => gauge.removeCallback(show),
    });
  }

  /** Counts a caller who was not let through. */
  noteRefusal(error: unknown, hasToken: boolean): void {
    const outcome = refreshOutcome(error);
    const reason = outcome === 'UNAUTHORISED' && !hasToken ? 'NO_TOKEN' : outcome;
    this.refusals.add(1, { 'nest_sessions.reason': reason });
  }

  /** Measures a refresh, in a span. */
  async recordRefresh<T extends TracedSession>(refresh: () => Promise<T>): Promise<T> {
    return this.timed(this.refreshes, {}, async () => this.recordSession('session.refresh', refresh));
  }

  /** Does something to one session in a span. */
  async recordSession<T extends TracedSession | undefined>(name: string, work: () => Promise<T>): Promise<T> {
    return this.inSpan(name, {}, work, (session) => ({
      'nest_sessions.outcome': 'OK',
      ...(session && {
        'nest_sessions.session': shortHandle(session.getHandle()),
        'nest_sessions.tenant_id': session.getTenantId(),
      }),
    }));
  }

  async recordCall<T>(operation: string, call: () => Promise<T>): Promise<T> {
    const attributes = { 'nest_sessions.operation': operation };
    return this.timed(this.calls, attributes, async () =>
      this.inSpan(operation, { kind: KIND_CLIENT, attributes }, call, () => ({
        'nest_sessions.outcome': 'OK',
      })),
    );
  }

  private async timed<T>(
    histogram: TelemetryHistogram,
    attributes: TelemetryAttributes,
    work: () => Promise<T>,
  ): Promise<T> {
    const startMs = performance.now();
    const record = (outcome: string): void =>
      histogram.record((performance.now() - startMs) / 1000, {
        ...attributes,
        'nest_sessions.outcome': outcome,
      });
    try {
      const result = await work();
      record('OK');
      return result;
    } catch (error) {
      record(refreshOutcome(error));
      throw error;
    }
  }

  private async inSpan<T>(
    name: string,
    options: { kind?: number; attributes?: TelemetryAttributes },
    work: () => Promise<T>,
    attributesOf: (result: T) => TelemetryAttributes,
  ): Promise<T> {
    return this.tracer.startActiveSpan(name, options, async (span) => {
      try {
        const result = await work();
        span.setAttributes(attributesOf(result));
        return result;
      } catch (error) {
        const outcome = refreshOutcome(error);
        // The message stays out: what a driver or an application writes into it is not in our hands.
        span.setAttributes({ 'nest_sessions.outcome': outcome });
        if (isFailure(error)) span.setStatus({ code: STATUS_ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  }
}

/** One of a few words, so that metrics stay small. */
function refreshOutcome(error: unknown): string {
  if (SessionError.isSessionError(error)) return error.type;
  if (error instanceof TooManySessionsError) return 'TOO_MANY_SESSIONS';
  if (error instanceof CoreBadInputError) return 'BAD_INPUT';
  if (error instanceof StoreFullError) return 'STORE_FULL';
  if (error instanceof CoreUnavailableError) return 'CORE_UNAVAILABLE';
  return error instanceof CoreResponseError ? 'CORE_RESPONSE' : 'ERROR';
}

/** Whether something of ours failed, and did not just refuse what it is there to refuse. */
function isFailure(error: unknown): boolean {
  return !(
    SessionError.isSessionError(error) ||
    error instanceof TooManySessionsError ||
    error instanceof StoreFullError ||
    error instanceof CoreBadInputError
  );
}
