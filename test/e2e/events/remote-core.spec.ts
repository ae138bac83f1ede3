import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CoreError, remoteCore, SessionEvents, type SessionEvent } from 'nest-sessions';
import { FOREIGN_TEST_KEY } from '../../fixtures/signing-keys.js';
import { TestApplication } from '../../support/test-application.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { FakeCore, GOOD_RESPONSES, sendJson, sendText } from '../../support/fake-core.js';
import { publicJwkOf } from '../../fixtures/key-set.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { TelemetrySdk } from '../../support/telemetry-sdk.js';

let core: FakeCore;
let sdk: TelemetrySdk;

beforeEach(async () => {
  core = await FakeCore.start();
  sdk = new TelemetrySdk();
});
afterEach(async () => {
  await core.kill();
  await sdk.close();
});

const options = () => ({ core: remoteCore({ connectionURI: core.uri }) });
const typesOf = (events: readonly SessionEvent[]): string[] => events.map(({ type }) => type);

describe('the events of a remote core (S104)', () => {
  it('is that it is gone and that it is back, once each', async () => {
    const { sessions, clock, events } = await TestApplication.withoutServer().with(options()).start();
    const ask = async (): Promise<unknown> => sessions.getSessionInformation('any').catch(() => undefined);
    await ask();
    await core.kill();
    for (let i = 0; i < 3; i++) await ask();
    clock.advanceSeconds(30);
    await core.start();
    for (let i = 0; i < 3; i++) await ask();
    expect(events).toEqual([
      {
        type: 'core.unavailable',
        timeMs: TEST_START_MS,
        message: expect.stringMatching(
          /^No SuperTokens core available to query: GET \/recipe\/session: http:\/\/127/,
        ),
      },
      {
        type: 'core.available',
        timeMs: TEST_START_MS + 30_000,
        unavailableSinceMs: TEST_START_MS,
        failedCalls: 3,
      },
    ]);
  });

  it('is not an outage where it refuses, or returns nonsense', async () => {
    const { sessions, events } = await TestApplication.withoutServer().with(options()).start();
    for (const response of [sendText(400, 'no'), sendText(500, 'no'), sendJson({ status: 'WHAT' })]) {
      core.on('/recipe/session', response);
      await expect(sessions.getSessionInformation('any')).rejects.toThrow(CoreError);
    }
    expect(typesOf(events)).toEqual([]);
  });

  it('is that it signs by a new key', async () => {
    const { keys } = GOOD_RESPONSES.keys as unknown as { keys: { kid: string }[] };
    const kid = `d-${TEST_START_MS + 1000}`;
    const { sessions, clock, events, get } = await TestApplication.withoutServer().with(options()).start();
    const verify = async (by: string): Promise<unknown> =>
      Promise.resolve(
        sessions.getSessionWithoutRequestResponse({
          accessToken: jwt({ ...V5_HEADER, kid: by }, V5_CLAIMS),
        }),
      ).catch(() => undefined);
    await verify(V5_HEADER.kid);
    await get(SessionEvents).delivered();
    expect(typesOf(events)).toEqual([]);
    core.on('/.well-known/jwks.json', sendJson({ keys: [...keys, publicJwkOf(FOREIGN_TEST_KEY, kid)] }));
    clock.advanceSeconds(60);
    await verify(kid);
    await verify(kid);
    await get(SessionEvents).delivered();
    expect(events).toEqual([
      { type: 'key.rotated', timeMs: TEST_START_MS + 60_000, kid, previousKid: V5_HEADER.kid },
    ]);
  });
});

describe('spans of calls to a remote core', () => {
  it('say which call it was, without tenant, user and tokens', async () => {
    const { sessions } = await TestApplication.withoutServer().with(options()).start();
    await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1', tenantId: 'tenant-1' });
    await sessions.refreshSessionWithoutRequestResponse({ refreshToken: 'a-refresh-token' });
    const spans = sdk.takeSpans();
    expect(spans.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['POST /recipe/session', 'POST /recipe/session/refresh', 'session.refresh']),
    );
    const told = JSON.stringify(spans.map(({ name, attributes }) => [name, attributes]));
    expect(told).not.toMatch(/user-1|a-refresh-token/);
  });
});
