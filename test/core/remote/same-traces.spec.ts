import { env } from 'node:process';
import { describe, expect, it } from '@jest/globals';
import type { CoreClient } from '../../../lib/core/core-client.js';
import { remoteCore } from '../../../lib/core/remote/http-core-client.js';
import { SessionEvents } from '../../../lib/events/session-events.js';
import { SystemClock, type Clock } from '../../../lib/util/clock.js';
import { create, decoded, refresh, refreshed, replacementOf, verify } from '../../support/core-calls.js';
import { makeEmbeddedCore } from '../../support/embedded.js';
import { withServedCore } from '../../support/served-core.js';

const REAL_CORE = env['SUPERTOKENS_CORE_URI'];
/** A user id of this run alone, because the core may keep sessions of earlier runs. */
const USER = `traces-${process.pid}-${Date.now()}`;
const TIMES = ['exp', 'iat', 'expiry', 'createdTime', 'timeCreated'];

/** The responses of a core, in the order of the requests. */
type Trace = readonly (readonly [step: string, response: unknown])[];

/** Lets a second pass before each step, where the clock can be moved. */
type Pause = () => void;

/** Two sessions of one user from beginning to end, with what goes wrong on the way. */
async function live(core: CoreClient, pause: Pause): Promise<Trace> {
  const trace: [string, unknown][] = [];
  const step = async <T>(name: string, ask: () => Promise<T>): Promise<T> => {
    pause();
    const response = await ask();
    trace.push([name, response]);
    return response;
  };
  const input = { recipeUserId: USER, userDataInJWT: { role: 'a' }, userDataInDatabase: { n: 1 } };
  const ofUser = { userId: USER, tenantId: undefined, includeLinkedAccounts: true };
  const checked = { checkDatabase: true };

  const first = await step('create', () => create(core, input));
  const { handle } = first.session;
  const [stolen, oldAccessToken] = [first.refreshToken.token, first.accessToken.token];
  await step('verify', () => verify(core, oldAccessToken));
  await step('verify at the database', () => verify(core, oldAccessToken, checked));

  await step('refresh, and lose the response', () => refreshed(core, stolen));
  const second = await step('refresh again', () => refreshed(core, stolen));
  await step('verify the old token', () => verify(core, oldAccessToken, checked));
  const replacement = await step('promote by the first use', () =>
    replacementOf(core, second.accessToken.token),
  );
  await step('verify the replacement', () => verify(core, replacement));
  await step('verify the token before it', () => verify(core, second.accessToken.token));

  await step('change the payload', () => core.updateAccessTokenPayload(handle, { role: 'b' }, {}));
  await step('change the data', () => core.updateSessionData(handle, { n: 2 }, {}));
  await step('read', () => core.getSessionInformation(handle, {}));
  const regenerate = { accessToken: replacement, userDataInJWT: { role: 'c' } };
  await step('regenerate', () => core.regenerateAccessToken(regenerate, {}));

  await step('steal', () => refresh(core, stolen));
  await step('steal again', () => refresh(core, stolen));
  await step('list', () => core.getSessionHandlesOfUser(ofUser, {}));
  await step('revoke', () => core.revokeSessions([handle], {}));
  await step('revoke again', () => core.revokeSessions([handle], {}));
  await step('refresh after that', () => refresh(core, second.refreshToken.token));
  await step('verify after that', () => verify(core, replacement));
  await step('verify at the database after that', () => verify(core, replacement, checked));
  await step('regenerate after that', () => core.regenerateAccessToken(regenerate, {}));
  await step('read after that', () => core.getSessionInformation(handle, {}));
  await step('change after that', () => core.updateSessionData(handle, { n: 3 }, {}));

  const other = await step('create with anti-CSRF', () => create(core, { ...input, enableAntiCsrf: true }));
  const { antiCsrfToken } = other;
  const withCsrf = { enableAntiCsrf: true, antiCsrfToken };
  await step('verify without the anti-CSRF token', () =>
    verify(core, other.accessToken.token, { enableAntiCsrf: true, doAntiCsrfCheck: true }),
  );
  await step('refresh without the anti-CSRF token', () =>
    refresh(core, other.refreshToken.token, { enableAntiCsrf: true }),
  );
  const child = await step('refresh with it', () => refreshed(core, other.refreshToken.token, withCsrf));
  await step('promote by a refresh', () =>
    refreshed(core, child.refreshToken.token, { ...withCsrf, antiCsrfToken: child.antiCsrfToken }),
  );
  await step('steal the parent', () => refresh(core, other.refreshToken.token, withCsrf));
  await step('revoke all of the user', () => core.revokeSessionsOfUser(ofUser, {}));
  await step('list after that', () => core.getSessionHandlesOfUser(ofUser, {}));
  return trace;
}

/**
 * The same for any core that does the same: handles are numbered, tokens are opened, what is drawn at random is hidden.
 *
 * @param areTimesKept false where the clock is not ours
 */
function normalised(trace: Trace, areTimesKept: boolean): unknown {
  const handles: string[] = [];
  const hide = (name: string, value: unknown): unknown => {
    if (!areTimesKept && TIMES.includes(name) && typeof value === 'number') return '<time>';
    if (typeof value === 'string') return hideText(name, value);
    if (Array.isArray(value)) return value.map((each) => hide('', each));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, hide(key, each)]));
  };
  const hideText = (name: string, value: string): unknown => {
    if (value.startsWith('eyJ')) return hide('', decoded(value));
    if (name === 'kid') return `${value.slice(0, 2)}<key>`;
    if (/^(token|antiCsrfToken|(parentR|r)efreshTokenHash1)$/.test(name)) return `<${name}>`;
    if (/^(handle|sessionHandle)$/.test(name) && !handles.includes(value)) handles.push(value);
    return handles.includes(value) ? `<handle ${handles.indexOf(value)}>` : value;
  };
  return trace.map(([step, response]) => [step, hide('', response)]);
}

async function embeddedTrace(): Promise<Trace> {
  const { core, clock } = await makeEmbeddedCore();
  return live(core, () => clock.advanceSeconds(1));
}

async function remoteTrace(
  connectionURI: string,
  clock: Clock,
  pause: Pause,
  newestCdiVersion: '5.0' | '5.4' = '5.4',
): Promise<Trace> {
  const apiKey = env['SUPERTOKENS_CORE_API_KEY'];
  const core = remoteCore({ connectionURI, apiKey, newestCdiVersion }).create({
    clock,
    events: new SessionEvents(),
    apiDomain: 'http://localhost:3000',
    jwksRefreshIntervalSec: 14_400,
  });
  try {
    return await live(core, pause);
  } finally {
    await core.close();
  }
}

async function servedTrace(version: '5.0' | '5.4'): Promise<Trace> {
  let trace: Trace = [];
  await withServedCore({}, async ({ uri, clock }) => {
    trace = await remoteTrace(uri, clock, () => clock.advanceSeconds(1), version);
  });
  return trace;
}

/** Another core than the embedded one. The real one is only there where it is named. */
interface ComparedCore {
  readonly name: string;
  readonly areTimesKept: boolean;
  trace(): Promise<Trace>;
}

const COMPARED: ComparedCore[] = (['5.0', '5.4'] as const).map((version) => ({
  name: `a served core by CDI ${version}, up to the second`,
  areTimesKept: true,
  trace: () => servedTrace(version),
}));
if (REAL_CORE !== undefined) {
  const trace = (): Promise<Trace> => remoteTrace(REAL_CORE, new SystemClock(), () => undefined);
  COMPARED.push({ name: 'the SuperTokens Core of SUPERTOKENS_CORE_URI', areTimesKept: false, trace });
}

describe('the life of a session leaves the same trace', () => {
  it.each(COMPARED)(
    'on the embedded core and through remoteCore at $name (S033)',
    async ({ trace, areTimesKept }) => {
      expect(normalised(await trace(), areTimesKept)).toEqual(
        normalised(await embeddedTrace(), areTimesKept),
      );
    },
  );

  it('in which a lost response is no theft, and a used token that comes back is one (S033)', async () => {
    const statuses = (await embeddedTrace()).flatMap(([step, response]) =>
      typeof response === 'object' && response !== null && 'status' in response && response.status !== 'OK'
        ? [`${step}: ${String(response.status)}`]
        : [],
    );
    expect(statuses).toEqual([
      'steal: TOKEN_THEFT_DETECTED',
      'steal again: TOKEN_THEFT_DETECTED',
      'refresh after that: UNAUTHORISED',
      'verify at the database after that: UNAUTHORISED',
      'regenerate after that: UNAUTHORISED',
      'verify without the anti-CSRF token: TRY_REFRESH_TOKEN',
      'refresh without the anti-CSRF token: UNAUTHORISED',
      'steal the parent: TOKEN_THEFT_DETECTED',
    ]);
  });
});
