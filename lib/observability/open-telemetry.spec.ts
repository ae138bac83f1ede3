import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SessionConfigError } from '../errors/config.error.js';
import { loadOpenTelemetry } from './open-telemetry.js';

const API = { trace: { getTracer: () => ({}) }, metrics: { getMeter: () => ({}) } };

function failing(code: string, message = 'Cannot find package'): () => Promise<unknown> {
  return async () => Promise.reject(Object.assign(new Error(message), { code }));
}

describe('finding OpenTelemetry', () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  beforeEach(() => {
    warn.mockClear();
  });

  it.each([
    ['an ES module', API],
    ['a CommonJS module', { default: API }],
  ])('takes it as %s', async (_case, loaded) => {
    expect(await loadOpenTelemetry('auto', async () => loaded)).toEqual(API);
    expect(await loadOpenTelemetry(true, async () => loaded)).toEqual(API);
  });

  it.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])(
    'goes on without it and in silence: %s',
    async (code) => {
      expect(await loadOpenTelemetry('auto', failing(code))).toBeUndefined();
      expect(warn).not.toHaveBeenCalled();
    },
  );

  it.each<[string, () => Promise<unknown>]>([
    ['fails to load', failing('ERR_SOMETHING')],
    ['is something else', async () => ({})],
  ])('goes on without one that %s, and warns', async (_case, load) => {
    expect(await loadOpenTelemetry('auto', load)).toBeUndefined();
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('does not start without it where it was asked for', async () => {
    const starting = loadOpenTelemetry(true, failing('ERR_MODULE_NOT_FOUND'));
    await expect(starting).rejects.toThrow(SessionConfigError);
    await expect(starting).rejects.toThrow(/telemetry: @opentelemetry\/api cannot be loaded .*install it/);
  });

  it('is not even looked for where it is switched off', async () => {
    const load = jest.fn(async () => API);
    expect(await loadOpenTelemetry(false, load)).toBeUndefined();
    expect(load).not.toHaveBeenCalled();
  });

  it('needs the package nowhere: no file imports it, for its types neither', () => {
    const source = readFileSync('lib/observability/open-telemetry.ts', 'utf8');
    expect(source).not.toMatch(/from '@opentelemetry|import\('@opentelemetry/);
  });
});
