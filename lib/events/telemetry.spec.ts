import { describe, expect, it } from '@jest/globals';
import type { GaugeCallback, OpenTelemetryApi } from './open-telemetry.js';
import { SessionEvents } from './session-events.js';
import { Telemetry } from './telemetry.js';

/** An OpenTelemetry that keeps who shows a gauge. */
function apiWithGauges() {
  const callbacks = new Set<GaugeCallback>();
  const api: OpenTelemetryApi = {
    trace: {
      getTracer: () => ({
        startActiveSpan: (_name, _options, work) =>
          work({
            isRecording: () => true,
            setAttributes: () => undefined,
            setStatus: () => undefined,
            end: () => undefined,
          }),
      }),
    },
    metrics: {
      getMeter: () => ({
        createCounter: () => ({ add: () => undefined }),
        createHistogram: () => ({ record: () => undefined }),
        createObservableGauge: () => ({
          addCallback: (callback) => callbacks.add(callback),
          removeCallback: (callback) => callbacks.delete(callback),
        }),
      }),
    },
  };
  return { api, callbacks };
}

describe('telemetry of several applications in one process', () => {
  it('shows the remembered tokens of each until it shuts down', () => {
    const { api, callbacks } = apiWithGauges();
    const [first, second] = [new SessionEvents(), new SessionEvents()];
    new Telemetry(api, first).observeSessions({ cachedTokens: 1 });
    new Telemetry(api, second).observeSessions({ cachedTokens: 2 });
    const shown = (): number[] => {
      const values: number[] = [];
      for (const show of callbacks) show({ observe: (value) => values.push(value) });
      return values;
    };
    expect(shown()).toEqual([1, 2]);
    first.complete();
    expect(shown()).toEqual([2]);
    second.complete();
    expect(shown()).toEqual([]);
  });
});
