import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SessionCoreModuleOptions } from '../../../lib/core/server/session-core-options.js';
import { withServedCore, type ServedCore } from '../../support/served-core.js';
import { TelemetrySdk } from '../../support/telemetry-sdk.js';
import { watchedStore } from '../../support/watched-store.js';

let sdk: TelemetrySdk;

beforeEach(() => {
  sdk = new TelemetrySdk();
});
afterEach(async () => sdk.close());

const createSession = (core: ServedCore, userId = 'user-1') =>
  core.post('/recipe/session', {
    userId,
    enableAntiCsrf: false,
    userDataInJWT: {},
    userDataInDatabase: {},
    useDynamicSigningKey: true,
  });

const spansSoFar = (): unknown[] =>
  sdk.takeSpans().map(({ name, attributes }) => [name, attributes['nest_sessions.outcome']]);

describe('OpenTelemetry in a served core', () => {
  it('has a span for each call to its store, with how it ended, and no user or token in it', async () => {
    const { store, failing } = await watchedStore();
    await withServedCore({ coreOptions: { store } }, async (core) => {
      sdk.takeSpans();
      await createSession(core, 'user-in-no-span');
      const spans = sdk.takeSpans();
      expect(spans.map(({ name }) => name)).toEqual(['store.insertSession']);
      expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toContain('user-in-no-span');
      failing.add('insertSession');
      expect((await createSession(core)).status).toBe(503);
      expect(spansSoFar()).toEqual([['store.insertSession', 'CORE_UNAVAILABLE']]);
    });
  });

  it('measures the calls to its store by operation, in seconds', async () => {
    await withServedCore({}, async (core) => {
      await createSession(core);
      await createSession(core);
      expect((await sdk.measured())['nest_sessions.core.call.duration']).toContainEqual({
        attributes: { 'nest_sessions.operation': 'store.insertSession', 'nest_sessions.outcome': 'OK' },
        value: expect.objectContaining({ count: 2 }),
      });
    });
  });

  it.each<[Pick<SessionCoreModuleOptions, 'telemetry'>, number]>([
    [{}, 1],
    [{ telemetry: true }, 1],
    [{ telemetry: false }, 0],
  ])('with %j has so many spans of a creation: %d', async (options, count) => {
    await withServedCore({ options }, async (core) => {
      sdk.takeSpans();
      await createSession(core);
      expect(spansSoFar()).toHaveLength(count);
    });
  });
});
