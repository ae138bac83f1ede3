import { describe, expect, it } from '@jest/globals';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { refused, outcomeOf } from '../support/token-traffic.js';

describe.each(ADAPTERS)('the modes of anti-CSRF on %s', (adapter) => {
  const crossSite = { ...SHOP, websiteDomain: 'https://website.example' };
  const customHeader = [
    ['VIA_CUSTOM_HEADER', { antiCsrf: 'VIA_CUSTOM_HEADER' }],
    ['the default of a cross-site API', { appInfo: crossSite }],
  ] as const;

  it.each([
    ...customHeader,
    ['NONE', { antiCsrf: 'NONE' }],
    ['VIA_TOKEN', { antiCsrf: 'VIA_TOKEN' }],
  ] as const)('under %s bearer tokens need nothing else (T51)', async (_mode, options) => {
    const { signedIn } = await TestApplication.on(adapter).with(options).start();
    const client = await signedIn('header');
    expect((await client.post('/me', {}, { rid: undefined, 'anti-csrf': undefined })).status).toBe(200);
  });

  it.each(customHeader)(
    '%s asks for a rid header, whatever is in it (T52-T55, S068)',
    async (_mode, options) => {
      const { signedIn, send } = await TestApplication.on(adapter).with(options).start();
      const client = await signedIn('cookie');
      const without = { rid: undefined };
      expect(outcomeOf(await client.post('/me', {}, without))).toEqual(refused('try refresh token'));
      expect(outcomeOf(await client.post('/optional', {}, without))).toEqual(refused('try refresh token'));
      expect(outcomeOf(await client.post('/auth/signout', {}, without))).toEqual(
        refused('try refresh token'),
      );
      expect((await client.post('/without-anti-csrf', {}, without)).status).toBe(200);
      expect((await client.get('/me', without)).status).toBe(200);
      expect((await send({ method: 'POST', path: '/optional' })).text).toBe('{"session":null}');
      for (const rid of ['', 'anti-csrf', 'anything']) {
        expect((await client.post('/me', {}, { rid })).status).toBe(200);
      }
    },
  );

  it('NONE asks for nothing (T56)', async () => {
    const { signedIn } = await TestApplication.on(adapter).with({ antiCsrf: 'NONE' }).start();
    const client = await signedIn('cookie');
    expect((await client.post('/me', {}, { rid: undefined })).status).toBe(200);
  });
});
