import { AsyncLocalStorage } from 'node:async_hooks';
import { context, metrics, ROOT_CONTEXT, trace, type Context, type ContextManager } from '@opentelemetry/api';
import { MeterProvider, MetricReader, type DataPoint } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';

/** One number of a metric, or a histogram's count and sum. */
export interface MeasuredPoint {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: unknown;
}

/** The application's OpenTelemetry: everything that is recorded stays in memory. */
export class TelemetrySdk {
  private readonly exporter = new InMemorySpanExporter();
  private readonly reader = new PullingReader();
  private readonly meters = new MeterProvider({ readers: [this.reader] });

  constructor() {
    context.setGlobalContextManager(new AsyncContexts());
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.exporter)] }),
    );
    metrics.setGlobalMeterProvider(this.meters);
  }

  /** The spans that have ended so far, which are forgotten then. */
  takeSpans(): ReadableSpan[] {
    const spans = this.exporter.getFinishedSpans();
    this.exporter.reset();
    return spans;
  }

  /** All metrics by name. */
  async measured(): Promise<Record<string, MeasuredPoint[]>> {
    const { resourceMetrics } = await this.reader.collect();
    return Object.fromEntries(
      resourceMetrics.scopeMetrics.flatMap((scope) =>
        scope.metrics.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          (dataPoints as DataPoint<unknown>[]).map(({ attributes, value }) => ({ attributes, value })),
        ]),
      ),
    );
  }

  async close(): Promise<void> {
    trace.disable();
    metrics.disable();
    context.disable();
    await this.meters.shutdown();
  }
}

class PullingReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

class AsyncContexts implements ContextManager {
  private readonly storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    to: Context,
    work: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.storage.run(to, () => Reflect.apply(work, thisArg, args));
  }

  bind<T>(_to: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.storage.disable();
    return this;
  }
}
