import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertokens from 'supertokens-node';
import Session from 'supertokens-node/recipe/session/index.js';
import type { SessionContainer } from 'supertokens-node/recipe/session/index.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { decoded } from '../../support/core-calls.js';
import { startServedCore, type ServedCore } from '../../support/served-core.js';
import { type Adapter } from '../../support/test-application.js';

const KEY = 'a-key-of-more-than-20-characters';

type Tokens = ReturnType<SessionContainer['getAllSessionTokensDangerously']>;

/**
 * The SDK as it comes from npm, with nothing of ours but the address of the core. It keeps its configuration for the
 * life of the process, so that one file can run this once.
 */
export function describeSdkAgainstServedCore(adapter: Adapter): void {
  describe(`supertokens-node as a client of our served core on ${adapter}`, () => {
    let core: ServedCore;

    beforeAll(async () => {
      // The SDK checks expiry by the system's clock.
      core = await startServedCore({
        adapter,
        clock: new TestClock(),
        options: { apiKeys: [KEY], basePath: '/sessions' },
      });
      supertokens.init({
        framework: 'custom',
        telemetry: false,
        supertokens: { connectionURI: `${core.uri}/sessions`, apiKey: KEY },
        appInfo: {
          appName: 'Shop',
          apiDomain: 'http://localhost:3000',
          websiteDomain: 'http://localhost:3001',
        },
        recipeList: [Session.init({ antiCsrf: 'VIA_TOKEN' })],
      });
    });
    afterAll(async () => {
      await core.close();
    });

    const create = (userId: string, tenantId = 'public', data: object = {}): Promise<SessionContainer> =>
      Session.createNewSessionWithoutRequestResponse(
        tenantId,
        supertokens.convertToRecipeUserId(userId),
        { role: 'buyer', nested: { list: [1, null] } },
        data,
      );
    const verify = (tokens: Tokens, checkDatabase = false): Promise<SessionContainer> =>
      Session.getSessionWithoutRequestResponse(tokens.accessToken, tokens.antiCsrfToken, { checkDatabase });
    const refresh = (tokens: Tokens): Promise<SessionContainer> =>
      Session.refreshSessionWithoutRequestResponse(tokens.refreshToken ?? '', false, tokens.antiCsrfToken);
    const tokensOf = (session: SessionContainer): Tokens => session.getAllSessionTokensDangerously();

    it('creates a session and verifies its token with the published keys, and with the database', async () => {
      const session = await create('creator', 't1', { cart: ['é😀'] });
      expect(session.getTenantId()).toBe('t1');
      expect(session.getRecipeUserId().getAsString()).toBe('creator');
      expect(await session.getSessionDataFromDatabase()).toEqual({ cart: ['é😀'] });
      for (const checkDatabase of [false, true]) {
        const verified = await verify(tokensOf(session), checkDatabase);
        expect(verified.getHandle()).toBe(session.getHandle());
        expect(verified.getAccessTokenPayload()).toMatchObject({
          role: 'buyer',
          nested: { list: [1, null] },
          iss: 'http://localhost:3000/auth',
        });
        expect(tokensOf(verified).accessAndFrontTokenUpdated).toBe(false);
      }
    });

    it('asks for the anti-CSRF token', async () => {
      const tokens = tokensOf(await create('careful'));
      await expect(verify({ ...tokens, antiCsrfToken: 'wrong' })).rejects.toMatchObject({
        type: 'TRY_REFRESH_TOKEN',
      });
      await expect(refresh({ ...tokens, antiCsrfToken: 'wrong' })).rejects.toMatchObject({
        type: 'UNAUTHORISED',
      });
    });

    it('refreshes, promotes at the first use, and detects theft of the old token', async () => {
      const first = await create('victim');
      const second = await refresh(tokensOf(first));
      expect(second.getHandle()).toBe(first.getHandle());
      const promoted = await verify(tokensOf(second));
      expect(tokensOf(promoted).accessAndFrontTokenUpdated).toBe(true);
      expect(decoded(tokensOf(promoted).accessToken).payload['parentRefreshTokenHash1']).toBeNull();

      await expect(refresh(tokensOf(first))).rejects.toMatchObject({
        type: 'TOKEN_THEFT_DETECTED',
        payload: { sessionHandle: first.getHandle(), userId: 'victim' },
      });
      // A core of these versions reports theft and leaves the revoking to its client.
      expect(await Session.revokeSession(first.getHandle())).toBe(true);
      await expect(refresh(tokensOf(second))).rejects.toMatchObject({ type: 'UNAUTHORISED' });
      await expect(
        verify({ ...tokensOf(promoted), antiCsrfToken: tokensOf(second).antiCsrfToken }, true),
      ).rejects.toMatchObject({ type: 'UNAUTHORISED' });
    });

    it('gives ten refreshes of one token the same successor, all of which work', async () => {
      const first = await create('impatient');
      const sessions = await Promise.all(Array.from({ length: 10 }, () => refresh(tokensOf(first))));
      expect(new Set(sessions.map((session) => tokensOf(session).refreshToken)).size).toBe(1);
      for (const session of sessions) {
        expect((await verify(tokensOf(session))).getHandle()).toBe(first.getHandle());
      }
    });

    it('merges into the payload, of a live session and by handle', async () => {
      const session = await create('merger');
      await session.mergeIntoAccessTokenPayload({ plan: 'pro', role: null });
      expect(tokensOf(session).accessAndFrontTokenUpdated).toBe(true);
      const verified = await verify(tokensOf(session), true);
      expect(verified.getAccessTokenPayload()).toMatchObject({ plan: 'pro', nested: { list: [1, null] } });
      expect(verified.getAccessTokenPayload()).not.toHaveProperty('role');

      expect(await Session.mergeIntoAccessTokenPayload(session.getHandle(), { later: true })).toBe(true);
      expect(
        (await Session.getSessionInformation(session.getHandle()))?.customClaimsInAccessTokenPayload,
      ).toMatchObject({ plan: 'pro', later: true });
      expect((await verify(tokensOf(session), true)).getAccessTokenPayload()).toMatchObject({ later: true });
      expect(await Session.mergeIntoAccessTokenPayload('nope', {})).toBe(false);
    });

    it('shows the status and the text of a refusal', async () => {
      await expect(create('u'.repeat(129))).rejects.toThrow(
        'with status code: 400 and message: The user id must be 1 to 128 characters without NUL',
      );
    });

    it('replaces the session data', async () => {
      const session = await create('keeper', 'public', { old: 1 });
      await session.updateSessionDataInDatabase({ new: [null, 2] });
      expect(await session.getSessionDataFromDatabase()).toEqual({ new: [null, 2] });
      expect(await Session.updateSessionDataInDatabase('nope', {})).toBe(false);
      expect(await Session.getSessionInformation('nope')).toBeUndefined();
    });

    it('lists and revokes: one, several, all of a tenant, all of a user', async () => {
      const handles: string[] = [];
      for (const tenantId of ['public', 'public', 't1', 't1', 't2']) {
        handles.push((await create('traveller', tenantId)).getHandle());
      }
      const listed = async (tenantId?: string): Promise<string[]> =>
        (await Session.getAllSessionHandlesForUser('traveller', true, tenantId)).sort();
      expect(await listed()).toEqual([...handles].sort());
      expect(await listed('t1')).toEqual(handles.slice(2, 4).sort());
      expect(await Session.revokeSession(handles[0] ?? '')).toBe(true);
      expect(await Session.revokeSession(handles[0] ?? '')).toBe(false);
      expect(await Session.revokeMultipleSessions([handles[1] ?? '', 'nope'])).toEqual([handles[1]]);
      expect((await Session.revokeAllSessionsForUser('traveller', true, 't1')).sort()).toEqual(
        handles.slice(2, 4).sort(),
      );
      expect(await Session.revokeAllSessionsForUser('traveller')).toEqual([handles[4]]);
      expect(await listed()).toEqual([]);
    });

    it('signs a JWT that its published keys know', async () => {
      const signed = await Session.createJWT({ sub: 'service' }, 60);
      const { keys } = await Session.getJWKS();
      const { header, payload } = decoded(signed.status === 'OK' ? signed.jwt : '');
      expect(keys.map(({ kid }) => kid)).toContain(header['kid']);
      expect(payload).toMatchObject({ sub: 'service', iss: 'http://localhost:3000/auth' });
    });

    it('negotiated 5.4 with the key, and would not be served without it', async () => {
      expect((await core.send({ path: '/sessions/apiversion' })).status).toBe(401);
      const response = await core.send({ path: '/sessions/apiversion', headers: { 'api-key': KEY } });
      expect(response.json).toEqual({ versions: expect.arrayContaining(['5.4']) as unknown });
    });
  });
}
