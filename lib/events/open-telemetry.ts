import { SessionConfigError } from '../options/config-error.js';

export type TelemetryAttributes = Record<string, string | number | boolean>;

/** The part of OpenTelemetry's span that is used here. */
export interface TelemetrySpan {
  /** False without an SDK, and for a trace that is not sampled. */
  isRecording(): boolean;
  setAttributes(attributes: TelemetryAttributes): unknown;
  setStatus(status: { code: number }): unknown;
  end(): void;
}

export interface TelemetryCounter {
  add(value: number, attributes?: TelemetryAttributes): void;
}

export interface TelemetryHistogram {
  record(value: number, attributes?: TelemetryAttributes): void;
}

export type GaugeCallback = (result: {
  observe(value: number, attributes?: TelemetryAttributes): void;
}) => void;

/**
 * The part of `@opentelemetry/api` that is used here, as types of our own, because applications without the package must be
 * able to compile.
 */
export interface OpenTelemetryApi {
  readonly trace: {
    getTracer(name: string): {
      startActiveSpan<T>(
        name: string,
        options: { kind?: number; attributes?: TelemetryAttributes },
        work: (span: TelemetrySpan) => T,
      ): T;
    };
  };
  readonly metrics: {
    getMeter(name: string): {
      createCounter(name: string, options?: { description?: string }): TelemetryCounter;
      createHistogram(name: string, options?: { description?: string; unit?: string }): TelemetryHistogram;
      createObservableGauge(
        name: string,
        options?: { description?: string; unit?: string },
      ): { addCallback(callback: GaugeCallback): void; removeCallback(callback: GaugeCallback): void };
    };
  };
}

const PACKAGE: string = '@opentelemetry/api';
/** The last code is Jest's: without `--experimental-vm-modules`, tested code cannot use `import()`. */
const NOT_INSTALLED = [
  'ERR_MODULE_NOT_FOUND',
  'MODULE_NOT_FOUND',
  'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG',
];

/**
 * Loads the application's OpenTelemetry.
 *
 * @param setting the option `telemetry`, or `auto` if it is not set
 * @param moduleName the module of the option, for the error
 * @param load replaced by tests
 * @returns undefined if it is switched off, or if it is not installed and the option is not set
 * @throws {SessionConfigError} it is required and cannot be loaded
 */
export async function loadOpenTelemetry(
  setting: boolean | 'auto',
  moduleName: 'SessionModule' | 'SessionCoreModule' | 'createSessions',
  load: () => Promise<unknown> = async () => import(PACKAGE),
): Promise<OpenTelemetryApi | undefined> {
  if (setting === false) return undefined;
  try {
    return findApi(await load());
  } catch (error) {
    if (setting === true) {
      const message = `${PACKAGE} cannot be loaded (${readErrorMessage(error)}): install it, or leave the option out`;
      throw new SessionConfigError([{ path: 'telemetry', message }], moduleName);
    }
    // A missing package is normal. A broken one is reported, but does not stop the application.
    if (!NOT_INSTALLED.includes(readErrorCode(error))) {
      process.emitWarning(`${PACKAGE} cannot be loaded, so there are no spans and metrics of sessions`, {
        type: 'NestSessionsWarning',
        detail: readErrorMessage(error),
      });
    }
    return undefined;
  }
}

/** Returns the exports of an ES module or of a CommonJS module. */
function findApi(loaded: unknown): OpenTelemetryApi {
  const {
    trace,
    metrics,
    default: fallback,
  } = loaded as Partial<OpenTelemetryApi> & { default?: OpenTelemetryApi };
  const api = { trace: trace ?? fallback?.trace, metrics: metrics ?? fallback?.metrics };
  if (api.trace === undefined || api.metrics === undefined)
    throw new TypeError('It has no trace and metrics');
  return { trace: api.trace, metrics: api.metrics };
}

/** Reads the code without `instanceof Error`, because test runners can replace the global `Error`. */
function readErrorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

function readErrorMessage(error: unknown): string {
  const message =
    typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
  return message.split('\n')[0] ?? '';
}
