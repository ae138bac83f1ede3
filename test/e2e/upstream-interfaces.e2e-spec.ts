import { describe, expect, it } from '@jest/globals';
import { SessionConfigError, SessionContainer, type ApiInterface, type RecipeInterface } from 'nest-sessions';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';

/** Names and arguments that code written for supertokens-node uses. */
describe.each(ADAPTERS)('an override written for supertokens-node on %s', (adapter) => {
  it('finds the options of API functions that it knows', async () => {
    const seen: unknown[] = [];
    let recipe: RecipeInterface | undefined;
    const apis = (original: ApiInterface): ApiInterface => ({
      ...original,
      signOutPOST: async (input) => {
        const { req, res, config, recipeId, isInServerlessEnv, recipeImplementation, exchange } =
          input.options;
        seen.push(req.getMethod(), recipeId, isInServerlessEnv, config.sessionExpiredStatusCode);
        seen.push(req === exchange.request, res === exchange.response);
        recipe = recipeImplementation;
        const handle = input.session.getHandle(input.userContext);
        const { userContext } = input;
        const found = await recipe.getSessionInformation({ sessionHandle: handle, userContext });
        seen.push(found?.userId === input.session.getUserId(userContext));
        return (await original.signOutPOST?.(input)) ?? { status: 'OK' };
      },
    });
    const { signedIn } = await TestApplication.on(adapter).with({ override: { apis } }).start();
    const client = await signedIn();
    expect((await client.send({ method: 'POST', path: '/auth/signout' })).status).toBe(200);
    expect(seen).toEqual(['post', 'session', false, 401, true, true, true]);
  });

  it('may hand a user context to every getter of a session', async () => {
    const { sessions } = await TestApplication.on(adapter).start();
    const session: SessionContainer = await sessions.createNewSessionWithoutRequestResponse({ userId: 'u' });
    const context = {};
    expect(session.getUserId(context)).toBe('u');
    expect(session.getRecipeUserId(context)).toBe('u');
    expect(session.getTenantId(context)).toBe('public');
    expect(session.getAccessToken(context)).toBe(session.getAccessToken());
    expect(session.getAccessTokenPayload(context)).toBe(session.getAccessTokenPayload());
  });
});

describe('an API on http and a website of another site', () => {
  const appInfo = { ...SHOP, apiDomain: 'http://api.shop.io', websiteDomain: 'https://example.com' };

  it('starts where headers alone carry the tokens, and refuses a session by cookie', async () => {
    const application = await TestApplication.on('express')
      .with({ appInfo, getTokenTransferMethod: () => 'header' })
      .start();
    await expect(application.signedIn('header')).resolves.toBeDefined();
    const starting = TestApplication.on('express').with({ appInfo }).start();
    await expect(starting).rejects.toThrow(SessionConfigError);
  });
});
