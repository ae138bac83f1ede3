import { inspect } from 'node:util';
import { All, Catch, Controller, UseGuards, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { RequireClaims, SessionGuard } from 'nest-sessions';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { NOTHING, tokenTraffic } from '../support/token-traffic.js';

// Promises of SECURITY.md that a single unlucky line of an application must not break.

/** A filter that knows nothing of sessions, as many applications have one. */
@Catch()
class RespondsWith418 implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<{
      status(code: number): { send(body: unknown): void };
    }>();
    response.status(418).send({});
  }
}

const never = { id: 'never', validate: () => ({ isValid: false as const }) };

@Controller()
@UseGuards(SessionGuard)
class CatchAllController {
  @All('auth/session/refresh')
  @RequireClaims(never)
  everything(): string {
    return 'reached';
  }
}

describe.each(ADAPTERS)('the promises that hold whatever the application does on %s', (adapter) => {
  it('a theft ends the session although a filter of the application takes the error (S023)', async () => {
    const configure = (app: { useGlobalFilters(filter: ExceptionFilter): unknown }): unknown =>
      app.useGlobalFilters(new RespondsWith418());
    const { testSessions, clientOf } = await TestApplication.on(adapter).configure(configure).start();
    const stolen = await testSessions.stolenSession();
    const [owner, thief] = [clientOf(stolen), clientOf(stolen.thief)];
    expect((await thief.get('/checked')).status).toBe(200);
    expect((await owner.refresh()).status).toBe(401); // our own routes respond outside of the application's filters
    expect((await thief.refresh()).status).toBe(401); // nothing is left to refresh
    expect((await thief.get('/checked')).status).toBe(418);
  });

  it('a payload that does not fit into a cookie is refused before anything is stored (S062)', async () => {
    const note = 'x'.repeat(3000);
    const guarded = {
      grow: (session: { mergeIntoAccessTokenPayload(update: object): Promise<void> }) =>
        session.mergeIntoAccessTokenPayload({ note }),
    };
    const { signedIn, sessions, client } = await TestApplication.on(adapter).handlers({ guarded }).start();
    const owner = await signedIn('cookie');
    const response = await owner.post('/run/grow');
    expect([response.status, tokenTraffic(response)]).toEqual([500, NOTHING]);
    expect((await owner.refresh()).status).toBe(200);
    expect((await owner.get('/me')).body).not.toHaveProperty('payload.note');

    await expect(client('cookie').login('user-2', { payload: { note } })).rejects.toThrow('500');
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-2' })).toEqual([]);

    // in headers there is room
    const mobile = await signedIn('header', 'user-3');
    expect((await mobile.post('/run/grow')).status).toBeLessThan(300);
    expect((await mobile.get('/me')).body).toHaveProperty('payload.note', note);
  });

  it('a session that is logged or sent shows none of its tokens (S103)', async () => {
    let shown = '';
    const open = {
      show: async ({
        sessions,
        req,
        res,
      }: {
        sessions: import('nest-sessions').SessionService;
        req: unknown;
        res: unknown;
      }) => {
        const session = await sessions.createNewSession(req, res, { userId: 'user-1' });
        const { accessToken, refreshToken } = session.getAllSessionTokensDangerously();
        shown = inspect(session, { depth: 9 }) + JSON.stringify({ session });
        return [accessToken, refreshToken].map((token) => shown.includes(token ?? 'no token'));
      },
    };
    const { send } = await TestApplication.on(adapter).handlers({ open }).start();
    expect((await send({ method: 'POST', path: '/open/show' })).body).toEqual([false, false]);
    expect(shown).toContain('user-1');
  });

  it('a refresh through the guard is held to what the route itself asks for (S079)', async () => {
    const options = {
      override: {
        apis: (original: import('nest-sessions').ApiInterface) => ({ ...original, refreshPOST: undefined }),
      },
    };
    const input = TestApplication.on(adapter).with(options).controllers(CatchAllController);
    const { testSessions, send } = await input.start();
    const { refreshToken } = await testSessions.createTestSession();
    const headers = { authorization: `Bearer ${refreshToken}` };
    const response = await send({ method: 'POST', path: '/auth/session/refresh', headers });
    expect([response.status, response.text]).toEqual([
      403,
      '{"message":"invalid claim","claimValidationErrors":[{"id":"never"}]}',
    ]);
  });
});
