import { describe, expect, it } from '@jest/globals';
import { create, refresh } from '../../support/core-calls.js';
import { makeEmbeddedCore } from '../../support/embedded.js';
import { embeddedCore } from '../../../lib/core/embedded/embedded-core-options.js';

/** Ada's account has two logins, Bob's one. */
const accountLinking = {
  getPrimaryUserId: (id: string) => (['ada-mail', 'ada-google'].includes(id) ? 'ada' : id),
  getLinkedRecipeUserIds: async (id: string) =>
    ['ada', 'ada-mail', 'ada-google'].includes(id) ? ['ada-mail', 'ada-google'] : [id],
};

async function withSessions() {
  const { core } = await makeEmbeddedCore({ accountLinking });
  const mail = await create(core, { recipeUserId: 'ada-mail' });
  const google = await create(core, { recipeUserId: 'ada-google' });
  const bob = await create(core, { recipeUserId: 'bob' });
  return { core, mail, google, bob, handles: [mail.session.handle, google.session.handle].toSorted() };
}

describe('sessions of linked accounts', () => {
  it('carry the account as user id and the login as recipe user id, also after a refresh (C90)', async () => {
    const { core, mail } = await withSessions();
    const refreshed = await refresh(core, mail.refreshToken.token);
    for (const response of [mail, refreshed]) {
      expect(response).toMatchObject({ session: { userId: 'ada', recipeUserId: 'ada-mail' } });
    }
    expect(await core.getSessionInformation(mail.session.handle)).toMatchObject({
      userId: 'ada',
      recipeUserId: 'ada-mail',
    });
  });

  it.each(['ada', 'ada-mail', 'ada-google'])('are listed together, asked by %s (C124)', async (userId) => {
    const { core, handles } = await withSessions();
    const found = await core.getSessionHandlesOfUser({
      userId,
      tenantId: undefined,
      includeLinkedAccounts: true,
    });
    expect(found.toSorted()).toEqual(handles);
  });

  it('are removed together, or only those of one login (C124)', async () => {
    const { core, mail, google, bob } = await withSessions();
    const input = { userId: 'ada-mail', tenantId: undefined };
    expect(await core.revokeSessionsOfUser({ ...input, includeLinkedAccounts: false })).toEqual([
      mail.session.handle,
    ]);
    expect(await core.revokeSessionsOfUser({ ...input, includeLinkedAccounts: true })).toEqual([
      google.session.handle,
    ]);
    expect(await core.getSessionInformation(bob.session.handle)).toBeDefined();
  });

  it('need both questions: half an interface is a problem of the options', () => {
    const half = { getPrimaryUserId: (id: string) => id } as never;
    expect(embeddedCore({ accountLinking: half }).problems).toEqual([
      { path: 'core.accountLinking', message: expect.stringContaining('getLinkedRecipeUserIds') },
    ]);
  });
});
