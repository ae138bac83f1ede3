import { tracingChannel } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as api from '@opentelemetry/api';
import {
  CoreBadInputError,
  embeddedCore,
  memoryStore,
  StoreFullError,
  TooManySessionsError,
  type SessionModuleOptions,
  type SessionService,
} from 'nest-sessions';
import type { OpenTelemetryApi } from '../../../lib/events/open-telemetry.js';
import { shortHandle } from '../../../lib/events/short-handle.js';
import { TestApplication } from '../../support/test-application.js';
import { sessionErrorOf } from '../../support/session-error-of.js';
import { TelemetrySdk } from '../../support/telemetry-sdk.js';
import { watchedStore } from '../../support/watched-store.js';

let sdk: TelemetrySdk;

beforeEach(() => {
  sdk = new TelemetrySdk();
});
afterEach(async () => sdk.close());

interface SpanSketch {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: object;
  readonly isError: boolean;
}

/** The spans so far in the order in which they began, a parent before its children. */
function spansSoFar(): SpanSketch[] {
  const spans = sdk.takeSpans();
  const nameOf = (id: string | undefined): string | undefined =>
    spans.find((span) => span.spanContext().spanId === id)?.name;
  return spans.toReversed().map((span) => ({
    name: span.name,
    parent: nameOf(span.parentSpanContext?.spanId),
    attributes: span.attributes,
    isError: span.status.code === api.SpanStatusCode.ERROR,
  }));
}

function namesOf(spans: readonly SpanSketch[]): string[] {
  return spans.map(({ name, parent }) => (parent === undefined ? name : `${parent} > ${name}`)).toSorted();
}

async function newTokens(sessions: SessionService, userId = 'user-1') {
  const session = await sessions.createNewSessionWithoutRequestResponse({ userId });
  const { accessToken, refreshToken = '' } = session.getAllSessionTokensDangerously();
  return { sessionHandle: session.getHandle(), accessToken, refreshToken };
}

describe('spans of sessions', () => {
  it('show creating, verifying and refreshing, each with what the store was asked for', async () => {
    const { sessions } = await TestApplication.withoutServer().start();
    spansSoFar();
    const { sessionHandle, accessToken, refreshToken } = await newTokens(sessions);
    const created = spansSoFar();
    expect(namesOf(created)).toEqual(['session.create', 'session.create > store.insertSession']);
    const about = {
      'nest_sessions.outcome': 'OK',
      'nest_sessions.session': shortHandle(sessionHandle),
      'nest_sessions.tenant_id': 'public',
    };
    expect(created.find(({ name }) => name === 'session.create')?.attributes).toEqual(about);
    expect(created.find(({ name }) => name === 'store.insertSession')?.attributes).toEqual({
      'nest_sessions.operation': 'store.insertSession',
      'nest_sessions.outcome': 'OK',
    });

    // Proven on the spot, which takes less than telling of it.
    await sessions.getSessionWithoutRequestResponse({ accessToken });
    expect(spansSoFar()).toEqual([]);

    const refreshed = await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    expect(namesOf(spansSoFar())).toEqual(['session.refresh', 'session.refresh > store.findSession']);

    await sessions.getSessionWithoutRequestResponse({ accessToken: refreshed.getAccessToken() });
    expect(namesOf(spansSoFar())).toEqual(['session.verify', 'session.verify > store.update']);
  });

  it('do not come with a request whose token is known, nor with one that has none', async () => {
    const { signedIn, client } = await TestApplication.on('express').start();
    const user = await signedIn();
    await user.get('/me');
    spansSoFar();
    for (let i = 0; i < 5; i++) expect((await user.get('/me')).status).toBe(200);
    expect((await client().get('/me')).status).toBe(401);
    expect((await client().get('/optional')).status).toBe(200);
    expect(spansSoFar()).toEqual([]);
    await user.get('/checked');
    expect(namesOf(spansSoFar())).toEqual(['session.verify', 'session.verify > store.findSession']);
  });

  it('come where a replaced getSession does not know the token, or asks the core, and nowhere else', async () => {
    const override: SessionModuleOptions['override'] = {
      functions: (o) => ({ ...o, getSession: async (input) => o.getSession(input) }),
    };
    const { signedIn, client } = await TestApplication.on('express').with({ override }).start();
    const user = await signedIn();
    await user.get('/me');
    spansSoFar();
    expect((await user.get('/me')).status).toBe(200);
    expect((await client().get('/optional')).status).toBe(200);
    expect(spansSoFar()).toEqual([]);
    await user.get('/checked');
    expect(namesOf(spansSoFar())).toEqual(['session.verify', 'session.verify > store.findSession']);

    const forgetful = await TestApplication.on('express').with({ override, maxCachedTokens: 0 }).start();
    const other = await forgetful.signedIn();
    spansSoFar();
    expect((await other.get('/me')).status).toBe(200);
    expect(namesOf(spansSoFar())).toEqual(['session.verify']);
  });

  it('belong to the span of the request', async () => {
    const { sessions } = await TestApplication.withoutServer().start();
    spansSoFar();
    await api.trace.getTracer('test').startActiveSpan('GET /orders', async (span) => {
      await newTokens(sessions);
      span.end();
    });
    expect(namesOf(spansSoFar())).toContain('GET /orders > session.create');
  });

  it('tell how it ended: what is wrong with a session is no error of the server', async () => {
    const { store, failing } = await watchedStore();
    const { sessions } = await TestApplication.withoutServer().store(store).start();
    const { sessionHandle, accessToken, refreshToken } = await newTokens(sessions);
    spansSoFar();
    failing.add('findSession');
    await sessions.refreshSessionWithoutRequestResponse({ refreshToken }).catch(() => undefined);
    expect(spansSoFar()).toMatchObject([
      {
        name: 'session.refresh',
        attributes: { 'nest_sessions.outcome': 'CORE_UNAVAILABLE' },
        isError: true,
      },
      {
        name: 'store.findSession',
        attributes: { 'nest_sessions.outcome': 'CORE_UNAVAILABLE' },
        isError: true,
      },
    ]);
    failing.clear();
    await sessions.revokeSession(sessionHandle);
    spansSoFar();
    const checking = sessions.getSessionWithoutRequestResponse({ accessToken, checkDatabase: true });
    await sessionErrorOf(Promise.resolve(checking));
    expect(spansSoFar()).toMatchObject([
      { name: 'session.verify', attributes: { 'nest_sessions.outcome': 'UNAUTHORISED' }, isError: false },
      { name: 'store.findSession', attributes: { 'nest_sessions.outcome': 'OK' }, isError: false },
    ]);
  });
});

describe('spans of sessions that are refused by a rule', () => {
  it('are no errors of the server, and tell the rule', async () => {
    const maxSessionsPerUser = { max: 1, whenExceeded: 'refuse' } as const;
    const { sessions } = await TestApplication.withoutServer().with({ maxSessionsPerUser }).start();
    await newTokens(sessions);
    spansSoFar();
    await expect(newTokens(sessions)).rejects.toBeInstanceOf(TooManySessionsError);
    const nobody = sessions.createNewSessionWithoutRequestResponse({ userId: 'u'.repeat(129) });
    await expect(nobody).rejects.toBeInstanceOf(CoreBadInputError);
    expect(spansSoFar().filter(({ name }) => name === 'session.create')).toMatchObject([
      { attributes: { 'nest_sessions.outcome': 'BAD_INPUT' }, isError: false },
      { attributes: { 'nest_sessions.outcome': 'TOO_MANY_SESSIONS' }, isError: false },
    ]);
  });
});

describe('a store that is full', () => {
  it('is no error of the server in spans: its bound was set', async () => {
    const core = embeddedCore({ store: memoryStore({ maxSessions: 1 }), signingAlgorithm: 'ES256' });
    const { sessions } = await TestApplication.withoutServer().with({ core }).start();
    await newTokens(sessions);
    spansSoFar();
    await expect(newTokens(sessions)).rejects.toBeInstanceOf(StoreFullError);
    const outcome = { attributes: { 'nest_sessions.outcome': 'STORE_FULL' }, isError: false };
    expect(spansSoFar()).toMatchObject([
      { name: 'session.create', ...outcome },
      { name: 'store.insertSession', ...outcome },
    ]);
  });
});

describe('metrics of sessions', () => {
  it('count what happened, and who was not let through', async () => {
    const { signedIn, client, clock } = await TestApplication.on('fastify').start();
    const user = await signedIn();
    const thief = user.copy();
    await user.refresh();
    await user.get('/me');
    await client().get('/me');
    await thief.refresh();
    clock.advanceSeconds(2 * 3600);
    await user.get('/me');
    const measured = await sdk.measured();
    const counted = (metric: string, attribute: string): unknown =>
      Object.fromEntries(
        (measured[metric] ?? []).map(({ attributes, value }) => [attributes[attribute], value]),
      );
    expect(counted('nest_sessions.events', 'nest_sessions.event')).toEqual({
      'session.created': 1,
      'session.refreshed': 1,
      'session.promoted': 1,
      'session.theft-detected': 1,
      'session.revoked': 1,
    });
    expect(counted('nest_sessions.refusals', 'nest_sessions.reason')).toEqual({
      NO_TOKEN: 1,
      TRY_REFRESH_TOKEN: 1,
    });
  });

  it('measure refreshes by outcome and calls by operation, in seconds', async () => {
    const { sessions } = await TestApplication.withoutServer().start();
    const { refreshToken } = await newTokens(sessions);
    await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    await sessionErrorOf(sessions.refreshSessionWithoutRequestResponse({ refreshToken: 'forged' }));
    const measured = await sdk.measured();
    const histogram = (count: number): object => ({ count, sum: expect.any(Number) });
    expect(measured['nest_sessions.refresh.duration']).toMatchObject([
      { attributes: { 'nest_sessions.outcome': 'OK' }, value: histogram(1) },
      { attributes: { 'nest_sessions.outcome': 'UNAUTHORISED' }, value: histogram(1) },
    ]);
    expect(measured['nest_sessions.core.call.duration']).toEqual(
      expect.arrayContaining([
        {
          attributes: { 'nest_sessions.operation': 'store.findSession', 'nest_sessions.outcome': 'OK' },
          value: expect.objectContaining({ count: 1 }),
        },
      ]),
    );
    const [{ value } = { value: undefined }] = measured['nest_sessions.refresh.duration'] ?? [];
    expect((value as { sum: number }).sum).toBeLessThan(10);
  });

  it('show how many tokens are remembered', async () => {
    const { sessions } = await TestApplication.withoutServer().start();
    for (let i = 0; i < 3; i++) {
      const { accessToken } = await newTokens(sessions, `user-${i}`);
      await sessions.getSessionWithoutRequestResponse({ accessToken });
    }
    expect((await sdk.measured())['nest_sessions.cached_tokens']).toEqual([{ attributes: {}, value: 3 }]);
  });
});

describe('two applications in one process', () => {
  const channelNames = ['session.create', 'session.verify', 'session.refresh', 'core.call'];
  const subscribed = (): boolean[] =>
    channelNames.map((name) => tracingChannel(`nest-sessions:${name}`).hasSubscribers);

  it('show only what they did themselves, and only as far as they have telemetry', async () => {
    const { sessions } = await TestApplication.withoutServer().with({ telemetry: true }).start();
    const { sessions: unseen } = await TestApplication.withoutServer().with({ telemetry: false }).start();
    spansSoFar();
    await newTokens(unseen);
    await sessionErrorOf(unseen.refreshSessionWithoutRequestResponse({ refreshToken: 'forged' }));
    await sessionErrorOf(Promise.resolve(unseen.getSessionWithoutRequestResponse({ accessToken: 'forged' })));
    expect(spansSoFar()).toEqual([]);
    expect((await sdk.measured())['nest_sessions.refusals'] ?? []).toEqual([]);
    await newTokens(sessions);
    // The measurement asks for the number of live sessions, which is counted in the background.
    const names = namesOf(spansSoFar()).filter((name) => name !== 'store.countSessions');
    expect(names).toEqual(['session.create', 'session.create > store.insertSession']);
  });

  it('each show their own, once', async () => {
    const { sessions: first } = await TestApplication.withoutServer().start();
    const { sessions: second } = await TestApplication.withoutServer().start();
    spansSoFar();
    await Promise.all([newTokens(first), newTokens(second)]);
    const names = ['session.create', 'session.create > store.insertSession'];
    expect(namesOf(spansSoFar())).toEqual([names[0], names[0], names[1], names[1]]);
  });

  it('leave no subscription behind when they shut down', async () => {
    const before = subscribed();
    await TestApplication.withoutServer().run(async () => {
      expect(subscribed()).toEqual([true, true, true, true]);
    });
    expect(subscribed()).toEqual(before);
  });
});

describe('the part of OpenTelemetry that we use', () => {
  it('is there, as far as the compiler can tell', () => {
    const used: OpenTelemetryApi = api;
    expect(used.trace.getTracer('test')).toBeDefined();
  });
});

describe('the option telemetry', () => {
  const spansWith = async (options: Partial<SessionModuleOptions>): Promise<number> => {
    await TestApplication.withoutServer()
      .with(options)
      .run(async ({ sessions }) => {
        await newTokens(sessions);
      });
    return spansSoFar().length;
  };

  it('is on where OpenTelemetry is installed', async () => {
    expect(await spansWith({})).toBeGreaterThan(0);
    expect(await spansWith({ telemetry: true })).toBeGreaterThan(0);
  });

  it('can be switched off', async () => {
    expect(await spansWith({ telemetry: false })).toBe(0);
  });
});
