import { describe, expect, it } from '@jest/globals';
import {
  embeddedCore,
  type SessionDevice,
  type SessionEvent,
  type SessionModuleOptions,
  type SessionService,
  type UserContext,
} from 'nest-sessions';
import type { CoreClient } from 'nest-sessions/core';
import { withRequest } from '../../lib/util/user-context.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { sessionErrorOf } from '../support/session-error-of.js';
import { TestApplication } from '../support/test-application.js';
import { FIREFOX } from '../support/user-agents.js';

type RefreshCall = CoreClient['refreshSession'];
type Asked = Parameters<RefreshCall>[0];

const MINUTE_SEC = 60;
const CURL = 'curl/8.5.0';

/** An application whose core notes what it is asked for at a refresh; `answer` may take the place of its own response. */
async function start(
  options: Partial<SessionModuleOptions> = {},
  response?: (own: CoreClient) => RefreshCall,
) {
  const asked: Asked[] = [];
  const { problems, create } = embeddedCore({
    store: await seededMemoryStore(),
    accessTokenValidityJitter: 0,
  });
  const core = {
    problems,
    create: (context: Parameters<typeof create>[0]) => {
      const own = create(context);
      const refreshSession = response?.(own) ?? own.refreshSession.bind(own);
      return Object.assign(own, {
        refreshSession: async (...[input, userContext]: Parameters<RefreshCall>) => {
          asked.push(input);
          return refreshSession(input, userContext);
        },
      });
    },
  };
  const application = await TestApplication.withoutServer()
    .with({ ...options, core })
    .start();
  const { sessions, clock, events } = application;
  return { sessions, clock, events, asked };
}

/** Signs a user in. @returns the session's handle and refresh token */
async function signIn(sessions: SessionService, userContext?: UserContext) {
  const session = await sessions.createNewSessionWithoutRequestResponse({
    userId: 'user-1',
    ...(userContext && { userContext }),
  });
  const { refreshToken = '' } = session.getAllSessionTokensDangerously();
  return { sessionHandle: session.getHandle(), refreshToken };
}

/** Some turns of the event loop, in which listeners learn of what has happened. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('the rotation that a refresh asks the core for', () => {
  const onRefresh = () => undefined;
  const deviceBound = { dpop: true };

  it.each<[string, Partial<SessionModuleOptions>, number | undefined, string | undefined]>([
    ['is the core’s own where nothing may refuse the refresh', {}, undefined, undefined],
    ['is at first use where a hook may refuse it', { onRefresh }, undefined, 'at-first-use'],
    ['is at first use where a proof may be missing', { deviceBound }, undefined, 'at-first-use'],
    ['is at first use where both may', { onRefresh, deviceBound }, undefined, 'at-first-use'],
    ['is the core’s own where one token gets its own life', {}, 300, undefined],
    ['is that also where a hook may refuse it', { onRefresh }, 300, undefined],
  ])('%s', async (_what, options, accessTokenValiditySec, rotation) => {
    const { sessions, asked } = await start(options);
    const { refreshToken } = await signIn(sessions);
    await sessions.refreshSessionWithoutRequestResponse({
      refreshToken,
      ...(accessTokenValiditySec !== undefined && { accessTokenValiditySec }),
    });
    expect(asked.map((input) => input.rotation)).toEqual([rotation]);
  });
});

describe('a theft that the core reports', () => {
  interface Case {
    /** Whether the core has ended the session before it responds. */
    readonly isEnded: boolean;
    readonly subtype?: 'RECENT_PREV';
  }

  /** Refreshes on a core that reports a theft. @returns the events after the sign-in */
  async function eventsOf({ isEnded, subtype }: Case): Promise<readonly SessionEvent[]> {
    let sessionHandle = '';
    const { sessions, events } = await start({}, (own) => async () => {
      if (isEnded) await own.revokeSessions([sessionHandle], {});
      return {
        status: 'TOKEN_THEFT_DETECTED',
        session: { handle: sessionHandle, userId: 'user-1', recipeUserId: 'user-1' },
        ...(subtype && { recentTokenReuseSubtype: subtype }),
      };
    });
    const signedIn = await signIn(sessions);
    ({ sessionHandle } = signedIn);
    const { refreshToken } = signedIn;
    const error = await sessionErrorOf(sessions.refreshSessionWithoutRequestResponse({ refreshToken }));
    expect(error.type).toBe('TOKEN_THEFT_DETECTED');
    expect(await sessions.getSessionInformation(sessionHandle)).toBeUndefined();
    await settled();
    return events.slice(1);
  }

  it.each<[string, Case, string[]]>([
    [
      'is followed by the end that the core made, where it names the kind of reuse',
      { isEnded: true, subtype: 'RECENT_PREV' },
      ['session.theft-detected', 'session.revoked'],
    ],
    [
      'is followed by one end, where it names the kind and leaves the session',
      { isEnded: false, subtype: 'RECENT_PREV' },
      ['session.theft-detected', 'session.revoked'],
    ],
    [
      'is followed by one end, where it names no kind',
      { isEnded: false },
      ['session.theft-detected', 'session.revoked'],
    ],
    [
      'is followed by no end where the session had ended before',
      { isEnded: true },
      ['session.theft-detected'],
    ],
  ])('%s', async (_what, given, types) => {
    const events = await eventsOf(given);
    expect(events.map(({ type }) => type)).toEqual(types);
    const named = events.map((event) =>
      'recentTokenReuseSubtype' in event ? event.recentTokenReuseSubtype : 'none',
    );
    expect(named[0]).toBe(given.subtype ?? 'none');
  });
});

describe('the device of a session that is refreshed without request and response', () => {
  const devices: SessionModuleOptions['devices'] = { ip: 'off', lastSeenIntervalSec: 3600 };

  /** The user context of a request that another transport brought. */
  const requestBy = (userAgent: string): UserContext =>
    withRequest(
      {},
      {
        original: {},
        getMethod: () => 'post',
        getOriginalURL: () => '/refresh',
        getHeaderValue: (name) => (name === 'user-agent' ? userAgent : undefined),
        getCookieValue: () => undefined,
      },
    );

  const deviceOf = async (sessions: SessionService, handle: string): Promise<SessionDevice | undefined> => {
    await settled();
    return (await sessions.getSessionInformation(handle))?.device;
  };

  const BROWSER = { userAgent: 'Firefox on Windows', lastSeen: TEST_START_MS };

  it('stays the browser’s where the application refreshes by itself', async () => {
    const { sessions, clock, events } = await start({ devices });
    const { sessionHandle, refreshToken } = await signIn(sessions, requestBy(FIREFOX));
    clock.advanceSeconds(2 * 3600);
    await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    expect(await deviceOf(sessions, sessionHandle)).toEqual(BROWSER);
    expect(events.map(({ type }) => type)).not.toContain('session.new-device');
  });

  it('is that of the request which the user context names, at once where it is another one', async () => {
    const { sessions, clock, events } = await start({ devices });
    const { sessionHandle, refreshToken } = await signIn(sessions, requestBy(FIREFOX));
    clock.advanceSeconds(MINUTE_SEC);
    await sessions.refreshSessionWithoutRequestResponse({ refreshToken, userContext: requestBy(CURL) });
    const now = { userAgent: 'Unknown client', lastSeen: TEST_START_MS + MINUTE_SEC * 1000 };
    expect(await deviceOf(sessions, sessionHandle)).toEqual(now);
    expect(events.at(-1)).toMatchObject({ type: 'session.new-device', before: BROWSER, now });
  });

  it('is not kept without the option', async () => {
    const { sessions } = await start();
    const { sessionHandle, refreshToken } = await signIn(sessions, requestBy(FIREFOX));
    await sessions.refreshSessionWithoutRequestResponse({ refreshToken, userContext: requestBy(CURL) });
    expect(await deviceOf(sessions, sessionHandle)).toBeUndefined();
  });
});
