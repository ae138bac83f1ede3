import type { INestApplication } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient } from '../support/dpop-client.js';
import { ADAPTERS, SHOP, TestApplication, type Adapter } from '../support/test-application.js';

async function startShop(
  adapter: Adapter,
  appInfo = {},
  configure: (app: INestApplication) => void = () => {},
) {
  const app = await TestApplication.on(adapter)
    .with({ ...deviceBound({ dpop: true }), appInfo: { ...SHOP, ...appInfo } })
    .configure(configure)
    .start();
  return app;
}

describe.each(ADAPTERS)('the address in a proof on %s', (adapter) => {
  it.each([
    ['https://api.shop.io/me', '/me'],
    ['https://api.shop.io/me', '/me?page=2'],
    ['https://api.shop.io/me?page=3#top', '/me?page=2'],
    ['HTTPS://API.SHOP.IO/me', '/me'],
    ['https://api.shop.io:443/me', '/me'],
    ['https://api.shop.io:/me', '/me'],
    ['https://api.shop.io/%6d%65', '/me'],
    ['https://api.shop.io/./me', '/me'],
    ['https://api.shop.io/a/../me', '/me'],
    ['https://api.shop.io/%2e/me', '/me'],
    ['https://api.shop.io/run/a%2fb', '/run/a%2Fb'],
    ['https://api.shop.io/run/a%2Fb', '/run/a%2fb'],
    ['https://api.shop.io/run/~a', '/run/%7Ea'],
    ['https://api.shop.io/run/%C3%A9', '/run/%c3%a9'],
  ])('may be spelled %s for %s (P4)', async (htu, path) => {
    const { http, clock } = await startShop(adapter);
    const client = new DpopClient(http, clock);
    await client.login();
    const response = await client.get(path, { dpop: client.proof('GET', path, { claims: { htu } }) });
    expect(response.status).toBe(200);
  });

  it('is made of apiDomain, whatever the headers say of the host (P11)', async () => {
    const { http, clock } = await startShop(adapter);
    const client = new DpopClient(http, clock);
    await client.login();
    const elsewhere = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
    };
    expect((await client.get('/me', elsewhere)).status).toBe(200);
    const htu = 'https://evil.example/me';
    const dpop = client.proof('GET', '/me', { claims: { htu } });
    expect((await client.get('/me', { ...elsewhere, dpop })).status).toBe(401);
  });

  it('has the port of apiDomain, unless it is the usual one', async () => {
    const { http, clock } = await startShop(adapter, { apiDomain: 'https://api.shop.io:8443' });
    const client = new DpopClient(http, clock, undefined, 'https://api.shop.io:8443');
    await client.login();
    expect((await client.get('/me')).status).toBe(200);
    const htu = 'https://api.shop.io/me';
    expect((await client.get('/me', { dpop: client.proof('GET', '/me', { claims: { htu } }) })).status).toBe(
      401,
    );
  });

  it('has the prefix that a gateway takes off (P11)', async () => {
    const { http, clock } = await startShop(adapter, { apiGatewayPath: '/shop' });
    const client = new DpopClient(http, clock, undefined, 'https://api.shop.io/shop');
    await client.login();
    expect((await client.get('/me')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(200);
    const htu = 'https://api.shop.io/other/me';
    expect((await client.get('/me', { dpop: client.proof('GET', '/me', { claims: { htu } }) })).status).toBe(
      401,
    );
  });

  it('has the global prefix of the application', async () => {
    const { http, clock } = await startShop(adapter, {}, (app) => {
      app.setGlobalPrefix('api');
    });
    const client = new DpopClient(http, clock);
    const dpop = client.proof('POST', '/api/login');
    expect((await client.post('/api/login', { userId: 'user-1' }, { dpop })).status).toBe(201);
    expect((await client.get('/api/me')).status).toBe(200);
  });
});
