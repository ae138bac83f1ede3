import { expect, it } from '@jest/globals';
import { createSessions, embeddedCore } from 'nest-sessions/standalone';

const SHOP = {
  appName: 'Shop',
  apiDomain: 'https://api.shop.io',
  websiteDomain: 'https://shop.io',
};

it('signs in, guards, refreshes and serves keys without Nest', async () => {
  const sessions = createSessions({ appInfo: SHOP, core: embeddedCore() });
  await sessions.start();
  const login = { method: 'POST', url: '/login', headers: { 'St-Auth-Mode': 'cookie' } };
  await sessions.createNewSession(login, { userId: 'ada' });
  const { headers } = sessions.finish(login);
  const cookie = headers
    .filter(([name]) => name === 'set-cookie')
    .map(([, line]) => line.split(';')[0])
    .join('; ');
  const me = { method: 'GET', url: '/me', headers: { Cookie: cookie } };
  expect((await sessions.verify(me)).getUserId()).toBe('ada');
  const stranger = { method: 'GET', url: '/me', headers: {} };
  const error: unknown = await sessions.verify(stranger).catch((reason: unknown) => reason);
  expect(await sessions.respond(error, stranger)).toMatchObject({
    status: 401,
    body: '{"message":"unauthorised"}',
  });
  const refresh = { method: 'POST', url: '/auth/session/refresh', headers: { cookie } };
  expect(await sessions.handle(refresh)).toMatchObject({ status: 200, body: '{}' });
  expect(await sessions.handle({ method: 'GET', url: '/auth/jwt/jwks.json', headers: {} })).toMatchObject({
    status: 200,
  });
  expect(await sessions.handle({ method: 'GET', url: '/other', headers: {} })).toBeUndefined();
  await sessions.close();
});
