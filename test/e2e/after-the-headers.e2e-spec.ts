import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AuthenticationTimeClaim,
  PrimitiveClaim,
  ResponseSentError,
  type SessionContainer,
} from 'nest-sessions';
import type { Call } from '../support/demo.controller.js';
import { ProcessWarnings } from '../support/process-warnings.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

interface RawResponse {
  writeHead(status: number, headers: Record<string, string>): void;
  write(text: string): void;
  end(text?: string): void;
}

const PLAN = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro' });

/** Sends the headers and the first bytes, as a stream does, works, and ends the stream. */
async function stream(res: unknown, hijacks: boolean, work: () => Promise<unknown>): Promise<void> {
  const response = res as RawResponse & { raw?: RawResponse; hijack?(): void };
  if (hijacks) response.hijack?.();
  const raw = response.raw ?? response;
  raw.writeHead(200, { 'content-type': 'application/json' });
  raw.write(' ');
  raw.end(JSON.stringify((await work()) ?? null));
  await new Promise(() => undefined); // the framework must not send a response of its own
}

/** The name of the error of a call and of its function, or `done`. */
async function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error: unknown) =>
      error instanceof ResponseSentError ? `${error.name} of ${error.message.split(':')[0]}` : String(error),
  );
}

async function streaming(
  adapter: (typeof ADAPTERS)[number],
  work: (session: SessionContainer, call: Call) => Promise<unknown>,
  hijacks = true,
): Promise<TestApplication> {
  return TestApplication.on(adapter)
    .with({ claims: [AuthenticationTimeClaim] })
    .handlers({
      guarded: {
        stream: async (session, call) => stream(call.res, hijacks, async () => work(session, call)),
      },
      open: {
        signingIn: async (call) =>
          stream(call.res, hijacks, async () =>
            outcome(call.sessions.createNewSession(call.req, call.res, { userId: 'late' })),
          ),
        refreshing: async (call) =>
          stream(call.res, hijacks, async () => outcome(call.sessions.refreshSession(call.req, call.res))),
      },
    })
    .start();
}

describe.each(ADAPTERS)('after the headers of a response have been sent on %s', (adapter) => {
  let warnings: ProcessWarnings;

  beforeEach(() => {
    warnings = new ProcessWarnings();
  });

  afterEach(() => warnings.restore());

  it.each([true, false])(
    'a session can be changed, and its client gets that with its next refresh (%s)',
    async (hijacks) => {
      const { signedIn, sessions } = await streaming(
        adapter,
        async (session) => [
          await outcome(session.mergeIntoAccessTokenPayload({ theme: 'dark' })),
          await outcome(session.setClaimValue(PLAN, 'free')),
          await outcome(session.fetchAndSetClaim(PLAN)),
          await outcome(session.assertClaims([PLAN.validators.hasValue('pro', 0)])),
          await outcome(session.removeClaim(PLAN)),
          await outcome(session.recordAuthentication()),
          await outcome(session.updateSessionDataInDatabase({ seen: 1 })),
          await outcome(session.revokeAllOtherSessions()),
          session.getAccessTokenPayload()['theme'],
        ],
        hijacks,
      );
      const client = await signedIn('cookie');
      const response = await client.get('/run/stream');
      expect(response.body).toEqual([...Array.from({ length: 8 }, () => 'done'), 'dark']);
      const handle = client.front.up['sessionHandle'] as string;
      expect(await sessions.getSessionInformation(handle)).toMatchObject({
        customClaimsInAccessTokenPayload: { theme: 'dark' },
      });
      await client.refresh();
      expect(client.front.up).toMatchObject({ theme: 'dark' });
      expect(warnings.take()).toEqual([expect.stringMatching(/next refresh/)]);
    },
  );

  it('a session can be ended', async () => {
    const { signedIn, sessions } = await streaming(adapter, async (session) =>
      outcome(session.revokeSession()),
    );
    const client = await signedIn('cookie');
    expect((await client.get('/run/stream')).body).toBe('done');
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toEqual([]);
    expect((await client.refresh()).status).toBe(401);
    expect(warnings.take()).toEqual([expect.stringMatching(/keeps the tokens/)]);
  });

  it('the session of the request can be read again', async () => {
    const { signedIn } = await streaming(adapter, async (_session, { sessions, req, res }) =>
      (await sessions.getSession(req, res, { checkDatabase: true })).getUserId(),
    );
    expect((await (await signedIn('header')).get('/run/stream')).body).toBe('user-1');
  });

  it('no session is created', async () => {
    const { client, sessions } = await streaming(adapter, async () => undefined);
    expect((await client().get('/open/signingIn')).body).toBe('ResponseSentError of createNewSession');
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'late' })).toEqual([]);
  });

  it('no refresh token is used up', async () => {
    const { signedIn } = await streaming(adapter, async () => undefined);
    const client = await signedIn('header');
    const headers = client.requestHeaders('/auth/session/refresh');
    expect((await client.get('/open/refreshing', headers)).body).toBe('ResponseSentError of refreshSession');
    expect((await client.refresh()).status).toBe(200);
  });

  it('no refresh token is used up by a refresh that had begun before', async () => {
    const { signedIn } = await TestApplication.on(adapter)
      .handlers({
        open: {
          both: async (call) => {
            const refreshed = outcome(call.sessions.refreshSession(call.req, call.res));
            return stream(call.res, true, async () => refreshed);
          },
        },
      })
      .start();
    const client = await signedIn('header');
    const headers = client.requestHeaders('/auth/session/refresh');
    expect((await client.get('/open/both', headers)).body).toBe('ResponseSentError of refreshSession');
    expect((await client.refresh()).status).toBe(200);
  });

  it('no tokens can be attached, and a session that was made for them is taken back', async () => {
    const { signedIn, sessions } = await streaming(adapter, async (_session, { sessions, req, res }) => {
      const other = await sessions.createNewSessionWithoutRequestResponse({ userId: 'other' });
      return outcome(other.attachToRequestResponse({ req, res, transferMethod: 'header' }));
    });
    expect((await (await signedIn('cookie')).get('/run/stream')).body).toBe(
      'ResponseSentError of attachToRequestResponse',
    );
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'other' })).toEqual([]);
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toHaveLength(1);
  });

  it('a session whose creation had begun before is taken back', async () => {
    const { client, sessions } = await TestApplication.on(adapter)
      .handlers({
        open: {
          both: async (call) => {
            const created = outcome(call.sessions.createNewSession(call.req, call.res, { userId: 'late' }));
            return stream(call.res, true, async () => created);
          },
        },
      })
      .start();
    expect((await client().get('/open/both')).body).toBe('ResponseSentError of createNewSession');
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'late' })).toEqual([]);
  });
});
