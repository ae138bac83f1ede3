import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SessionConfigError } from '../options/config-error.js';
import { loadOpenTelemetry } from './open-telemetry.js';

const API = { trace: { getTracer: () => ({}) }, metrics: { getMeter: () => ({}) } };

function failing(code: string, message = 'Cannot find package'): () => Promise<unknown> {
  return async () => Promise.reject(Object.assign(new Error(message), { code }));
}

/** As Jest gives code under test errors of Node: made with another `Error` than the one that the code knows. */
function failingElsewhere(code: string): () => Promise<unknown> {
  const error = runInNewContext(`Object.assign(new Error('Cannot find package'), { code })`, {
    code,
  }) as unknown;
  return async () => {
    throw error;
  };
}

describe('finding OpenTelemetry', () => {
  let warn: jest.SpiedFunction<typeof process.emitWarning>;
  beforeEach(() => {
    warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  });
  afterEach(() => warn.mockRestore());

  it.each([
    ['an ES module', API],
    ['a CommonJS module', { default: API }],
  ])('takes it as %s', async (_case, loaded) => {
    expect(await loadOpenTelemetry('auto', 'SessionModule', async () => loaded)).toEqual(API);
    expect(await loadOpenTelemetry(true, 'SessionModule', async () => loaded)).toEqual(API);
  });

  it.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG'])(
    'goes on without it and in silence, in whichever realm the error was made: %s',
    async (code) => {
      for (const load of [failing(code), failingElsewhere(code)]) {
        expect(await loadOpenTelemetry('auto', 'SessionModule', load)).toBeUndefined();
      }
      expect(warn).not.toHaveBeenCalled();
    },
  );

  it.each<[string, () => Promise<unknown>]>([
    ['fails to load', failing('ERR_SOMETHING')],
    ['is something else', async () => ({})],
  ])('goes on without one that %s, and warns', async (_case, load) => {
    expect(await loadOpenTelemetry('auto', 'SessionModule', load)).toBeUndefined();
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it.each(['SessionModule', 'SessionCoreModule'] as const)(
    'does not start without it where %s asks for it',
    async (moduleName) => {
      const starting = loadOpenTelemetry(true, moduleName, failingElsewhere('ERR_MODULE_NOT_FOUND'));
      await expect(starting).rejects.toThrow(SessionConfigError);
      await expect(starting).rejects.toThrow(
        new RegExp(
          `^${moduleName} cannot start.*\\n.*telemetry: @opentelemetry/api cannot be loaded .Cannot find package.: install it`,
        ),
      );
    },
  );

  it('is not even looked for where it is switched off', async () => {
    const load = jest.fn(async () => API);
    expect(await loadOpenTelemetry(false, 'SessionModule', load)).toBeUndefined();
    expect(load).not.toHaveBeenCalled();
  });

  it('needs the package nowhere: no file imports it, for its types neither', () => {
    const source = readFileSync('lib/events/open-telemetry.ts', 'utf8');
    expect(source).not.toMatch(/from '@opentelemetry|import\('@opentelemetry/);
  });
});
