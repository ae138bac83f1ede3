import { SessionConfigError } from '../errors.js';

export type TelemetryAttributes = Record<string, string | number | boolean>;

/** What we use of a span of OpenTelemetry. */
export interface TelemetrySpan {
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

export type GaugeCallback = (result: { observe(value: number): void }) => void;

/**
 * What we use of `@opentelemetry/api`, in our own words: the package is the application's, and who does not have it must
 * not need it for the types either.
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
        options?: { description?: string },
      ): { addCallback(callback: GaugeCallback): void; removeCallback(callback: GaugeCallback): void };
    };
  };
}

const PACKAGE: string = '@opentelemetry/api';
/** The last one is Jest's: without `--experimental-vm-modules` code under test can import nothing at run time. */
const NOT_INSTALLED = [
  'ERR_MODULE_NOT_FOUND',
  'MODULE_NOT_FOUND',
  'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG',
];

/**
 * Finds the application's OpenTelemetry.
 *
 * @param setting the option `telemetry`, or `auto` where it was left out
 * @param moduleName whose option it is, for the error
 * @param load replaced by tests
 * @returns undefined where it is switched off, or not installed and not asked for
 * @throws {SessionConfigError} it was asked for and cannot be had
 */
export async function loadOpenTelemetry(
  setting: boolean | 'auto',
  moduleName: 'SessionModule' | 'SessionCoreModule',
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
    // That it is not there is the normal case. That it is there and broken should be known, but stops no application.
    if (!NOT_INSTALLED.includes(readErrorCode(error))) {
      process.emitWarning(`${PACKAGE} cannot be loaded, so there are no spans and metrics of sessions`, {
        type: 'NestSessionsWarning',
        detail: readErrorMessage(error),
      });
    }
    return undefined;
  }
}

/** Its exports, also where they are those of a CommonJS module. */
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

/** Errors of Node are no `instanceof Error` where a test runner gives the code under test globals of its own. */
function readErrorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

function readErrorMessage(error: unknown): string {
  const message =
    typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
  return message.split('\n')[0] ?? '';
}
