import { describe, expect, it } from '@jest/globals';
import { parseSessionHandle } from '../../lib/core/embedded/session-handle.js';
import { sqliteStore } from 'nest-sessions/standalone';
import { shell, signIn } from '../support/shell.js';
import { parsed, shopOnFile } from '../support/shop-file.js';

const place = shopOnFile();

/** The token with another signature of the same length. */
function forged(token: string): string {
  return token.replace(
    /\.([^.])([^.]*)$/,
    (_, first: string, rest: string) => `.${first === 'A' ? 'B' : 'A'}${rest}`,
  );
}

describe('nest-sessions verify', () => {
  it('calls a token good, shows its content, and nothing that works as a token', async () => {
    const { accessToken, handle } = await signIn(place.shop, { userId: 'ada' });
    const { code, stdout } = await place.run('verify', accessToken, '--store', place.store);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^✓ signature +by d-\d+$/m);
    expect(stdout).toMatch(/^✓ session +live until/m);
    expect(stdout).toContain('The token is good.');
    expect(stdout).toContain(handle);
    expect(stdout).toContain('"refreshTokenHash1": "(hidden)"');
    expect(stdout).not.toContain(accessToken.split('.')[1]);
    expect(stdout).not.toContain(accessToken.split('.')[2]);
  });

  it('reads it from the standard input, as a header, too', async () => {
    const { accessToken } = await signIn(place.shop, { userId: 'ada' });
    const { clock, store } = place;
    const run = shell({ clock, readInput: async () => `authorization: Bearer ${accessToken}\n` });
    expect((await run('verify', '--store', store)).code).toBe(0);
    const { code, stderr } = await shell({ clock })('verify', '--store', store);
    expect(code).toBe(2);
    expect(stderr).toContain('a token is expected on the standard input');
  });

  it.each([
    ['that has expired', 'time', 'expired at', async () => place.clock.advanceSeconds(3601)],
    [
      'whose session has ended, with the reason',
      'session',
      'reason: stolen, by: support',
      async (handle: string) =>
        place.shop.service.revokeSession(handle, undefined, { reason: 'stolen', initiator: 'support' }),
    ],
    [
      'of a tenant that was signed out',
      'session',
      'has ended',
      async () => place.shop.service.revokeSessions({ tenantId: 'public' }),
    ],
  ])('says why a token is not good %s', async (_, name, detail, happen) => {
    const { accessToken, handle } = await signIn(place.shop, { userId: 'ada' });
    await happen(handle);
    const { code, stdout } = await place.run('verify', accessToken, '--json', '--store', place.store);
    expect(code).toBe(1);
    const { isGood, checks } = parsed(stdout) as {
      isGood: boolean;
      checks: { name: string; isGood: boolean; detail: string }[];
    };
    expect(isGood).toBe(false);
    expect(checks.filter((check) => !check.isGood)).toEqual([
      { name, isGood: false, detail: expect.stringContaining(detail) as unknown },
    ]);
  });

  it('calls a token bad whose session belongs to one that has ended, as routes with checkDatabase do', async () => {
    const { service } = place.shop;
    const actor = await signIn(place.shop, { userId: 'support-7' });
    const session = await service.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      actor: { sessionHandle: actor.handle },
    });
    const accessToken = session.getAccessToken();
    expect((await place.run('verify', accessToken, '--store', place.store)).code).toBe(0);
    const other = sqliteStore(place.file);
    const key = parseSessionHandle(actor.handle);
    await other.deleteSessions(key ? [key] : []);
    await other.close();
    const { code, stdout } = await place.run('verify', accessToken, '--store', place.store);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ session +has ended with the session that it belongs to$/m);
  });

  it('finds a forged token, and looks up no session for it', async () => {
    const { accessToken } = await signIn(place.shop, { userId: 'ada' });
    const { code, stdout } = await place.run('verify', forged(accessToken), '--store', place.store);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ signature +wrong/m);
    expect(stdout).not.toMatch(/session +live/);
  });

  it('says of other texts that they are no access token, and repeats none of them', async () => {
    const { refreshToken } = await signIn(place.shop, { userId: 'ada' });
    for (const text of [refreshToken, 'a.b.c', 'x'.repeat(70_000)]) {
      const { stdout, stderr } = await place.run('verify', text, '--store', place.store);
      expect(stdout + stderr).not.toContain(text);
      expect(stderr).toMatch(/no access token|70000 characters came/);
    }
  });

  it('changes nothing: a token of a refresh that nobody has used yet is not promoted by it', async () => {
    const { refreshToken, handle } = await signIn(place.shop, { userId: 'ada' });
    const refreshed = await place.shop.service.refreshSessionWithoutRequestResponse({
      refreshToken,
      disableAntiCsrf: true,
    });
    const { accessToken } = refreshed.getAllSessionTokensDangerously();
    expect((await place.run('verify', accessToken, '--store', place.store)).code).toBe(0);
    const { records } = await place.shop.service.readAudit({ sessionHandle: handle });
    expect(records.map(({ kind }) => kind)).toEqual(['session.created']);
  });
});

describe('nest-sessions keys', () => {
  it('lists the keys with their ages, and no key', async () => {
    const { shop, clock, store } = place;
    await shop.service.getJWKS();
    clock.advanceSeconds(3 * 86_400);
    const { code, stdout } = await place.run('keys', 'list', '--store', store);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^d-\d+ +ES256 +\S+ \S+ +3 d +plain$/m);
    const other = sqliteStore(place.file);
    for (const { value } of [...(await other.findDynamicKeys(0)), ...(await other.findStaticKeys())])
      for (const half of value.split('|')) expect(stdout).not.toContain(half.slice(0, 40));
    await other.close();
  });

  it('rotates none where algorithm and sealing are not known', async () => {
    const { code, stderr } = await place.run('keys', 'rotate', '--store', place.store);
    expect(code).toBe(1);
    expect(stderr).toContain('give them by --config');
  });
});
