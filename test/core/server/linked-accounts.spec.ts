import { describe, expect, it } from '@jest/globals';
import { embeddedCore, remoteCore } from 'nest-sessions';
import type { AccountLinking, CoreProvider } from 'nest-sessions/core';
import supertokens from 'supertokens-node';
import { seededMemoryStore } from '../../support/embedded.js';
import { withServedCore } from '../../support/served-core.js';
import { TestApplication } from '../../support/test-application.js';

type SdkUser = ConstructorParameters<typeof supertokens.User>[0];

/** Ada's account has two logins. */
const accountLinking: AccountLinking = {
  getPrimaryUserId: (id) => (['ada-mail', 'ada-google'].includes(id) ? 'ada' : id),
  getLinkedRecipeUserIds: (id) => (id.startsWith('ada') ? ['ada-mail', 'ada-google'] : [id]),
};

/** The results of an application with linked accounts, in words that can be compared. */
async function livedThrough(core: CoreProvider): Promise<unknown> {
  return TestApplication.withoutServer()
    .with({ core })
    .run(async ({ sessions }) => {
      const signIn = (userId: string, recipeUserId?: string) =>
        sessions.createNewSessionWithoutRequestResponse({ userId, ...(recipeUserId && { recipeUserId }) });
      const own = [await signIn('ada', 'ada-mail'), await signIn('ada', 'ada-google')];
      const bob = await signIn('bob');
      const foreign = await signIn('ada', 'bob').catch((error: unknown) => (error as Error).message);
      const listed = await sessions.getAllSessionHandlesForUser({ userId: 'ada-mail' });
      return {
        users: [...own, bob].map((session) => [session.getUserId(), session.getRecipeUserId()]),
        foreign,
        isListedTogether: own.map((session) => listed.includes(session.getHandle())),
      };
    });
}

describe('a served core with linked accounts', () => {
  it('is to an application what the same core inside it would be', async () => {
    const expected = await livedThrough(embeddedCore({ accountLinking, store: await seededMemoryStore() }));
    expect(expected).toEqual({
      users: [
        ['ada', 'ada-mail'],
        ['ada', 'ada-google'],
        ['bob', 'bob'],
      ],
      foreign: expect.stringContaining('recipeUserId is no login method of userId'),
      isListedTogether: [true, true],
    });
    await withServedCore({ coreOptions: { accountLinking } }, async ({ uri }) => {
      expect(await livedThrough(remoteCore({ connectionURI: uri }))).toEqual(expected);
    });
  });

  it('names the account of a login as SDKs read it, and knows nobody else', async () => {
    await withServedCore({ coreOptions: { accountLinking } }, async ({ send }) => {
      const ask = async (userId: string): Promise<unknown> =>
        (await send({ path: `/user/id?userId=${userId}`, headers: { 'cdi-version': '5.4' } })).json;
      const response = (await ask('ada-mail')) as { status: string; user: SdkUser };
      expect(response.status).toBe('OK');
      expect(new supertokens.User(response.user).toJson()).toMatchObject({ id: 'ada', isPrimaryUser: true });
      for (const userId of ['ada', 'bob']) {
        expect(await ask(userId)).toEqual({ status: 'UNKNOWN_USER_ID_ERROR' });
      }
    });
  });
});
