import diagnostics from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { jest } from '@jest/globals';
import type { CallHandler, ExecutionContext, LoggerService, NestInterceptor, Provider } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { catchError, throwError, type Observable } from 'rxjs';
import type { ClientResponse } from '../../support/http-client.js';
import { ProcessWarnings } from '../../support/process-warnings.js';
import { TelemetrySdk } from '../../support/telemetry-sdk.js';

/** Returns all that hangs on a value: hidden properties, causes, stacks, JSON. */
export function everythingOf(value: unknown): string {
  const shown = inspect(value, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null });
  return `${shown}\n${jsonOf(value)}\n${value instanceof Error ? everythingOf(value.cause) : ''}`;
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return ''; // it refers to itself
  }
}

const TRACING = ['session.create', 'session.verify', 'session.refresh', 'core.call'];
/** The diagnostics channels of the library, by the names that `node:diagnostics_channel` gives to those of tracing. */
const CHANNELS = [
  'nest-sessions:session.refused',
  ...TRACING.flatMap((name) =>
    ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map(
      (event) => `tracing:nest-sessions:${name}:${event}`,
    ),
  ),
];

type Console = 'log' | 'info' | 'warn' | 'error' | 'debug';

/** Every place where something of a session could be written down, at the most talkative level. */
export class Sinks {
  private readonly texts = new Map<string, string>();
  private readonly warnings = new ProcessWarnings();
  private readonly sdk = new TelemetrySdk();
  private readonly consoles = (['log', 'info', 'warn', 'error', 'debug'] satisfies Console[]).map((name) =>
    jest.spyOn(console, name).mockImplementation((...values: unknown[]) => this.note('console', ...values)),
  );

  /** A logger for Nest, at every level. */
  readonly logger: LoggerService = {
    log: (...values: unknown[]) => this.note('log', ...values),
    error: (...values: unknown[]) => this.note('log', ...values),
    warn: (...values: unknown[]) => this.note('log', ...values),
    debug: (...values: unknown[]) => this.note('log', ...values),
    verbose: (...values: unknown[]) => this.note('log', ...values),
    fatal: (...values: unknown[]) => this.note('log', ...values),
  };

  note(sink: string, ...values: unknown[]): void {
    const text = values.map((value) => (typeof value === 'string' ? value : everythingOf(value))).join(' ');
    this.texts.set(sink, `${this.texts.get(sink) ?? ''}${text}\n`);
  }

  /** Messages of diagnostics channels, without the events object that names their module. */
  private readonly noteMessage = (message: unknown, name: string | symbol): void => {
    const { source: _source, ...rest } = message as Record<string, unknown>;
    this.note('channels', String(name), rest);
  };

  constructor() {
    for (const name of CHANNELS) diagnostics.subscribe(name, this.noteMessage);
  }

  /** Notes what fails, as a log of the application's own would. */
  async noteErrorOf(work: unknown): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.note('errors', error);
    }
  }

  /** A refusal: its body, and where tokens would travel. Good responses carry tokens, and what handlers say, by design. */
  noteResponse(response: ClientResponse): void {
    if (response.status < 400) return;
    const headers = ['set-cookie', 'front-token', 'st-access-token', 'st-refresh-token', 'anti-csrf'];
    this.note('responses', response.text, ...headers.flatMap((name) => response.lines(name)));
  }

  /** The content of every sink, by its name. */
  async read(): Promise<ReadonlyMap<string, string>> {
    for (const { text } of this.warnings.noted.splice(0)) this.note('warnings', text);
    for (const span of this.sdk.takeSpans()) {
      this.note('spans', span.name, span.attributes, span.status, span.events, span.links);
    }
    this.note('metrics', await this.sdk.measured());
    return this.texts;
  }

  /** Sees what handlers throw before a filter handles it. */
  get interceptor(): Provider {
    return { provide: APP_INTERCEPTOR, useValue: new ErrorNotes(this) };
  }

  async close(): Promise<void> {
    this.warnings.restore();
    for (const spy of this.consoles) spy.mockRestore();
    for (const name of CHANNELS) diagnostics.unsubscribe(name, this.noteMessage);
    await this.sdk.close();
  }
}

class ErrorNotes implements NestInterceptor {
  constructor(private readonly sinks: Sinks) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      catchError((error: unknown) => {
        this.sinks.note('errors', error);
        return throwError(() => error);
      }),
    );
  }
}
