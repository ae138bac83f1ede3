import {
  Controller,
  ForbiddenException,
  Get,
  Injectable,
  VersioningType,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SessionGuard, type ApiInterface, type RecipeInterface } from 'nest-sessions';
import { map } from 'rxjs';
import { DemoController } from '../support/demo.controller.js';
import { DYNAMIC_TEST_KID, STATIC_TEST_KID } from '../support/embedded.js';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { signedOut, HEADERS_SET, NOTHING, tokenTraffic, outcomeOf } from '../support/token-traffic.js';

const JWKS = '/auth/jwt/jwks.json';
const DISCOVERY = '/auth/.well-known/openid-configuration';

describe.each(ADAPTERS)('the routes of the module on %s', (adapter) => {
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter).start();
  });

  afterAll(() => application.close());

  it.each([
    ['POST', '/auth/session/refresh', 200, 'as documented'],
    ['POST', '/auth/session/refresh/', 200, 'T160'],
    ['POST', '/auth/session/refresh?x=1', 200, 'with a query'],
    ['POST', '/auth/public/session/refresh', 200, 'T161'],
    ['POST', '/auth/any-tenant/session/refresh', 200, 'T161'],
    ['POST', '/auth/any-tenant/session/refresh/', 200, 'T161'],
    ['POST', '/auth/any_tenant/session/refresh', 404, 'T282'],
    ['POST', '/auth/a/b/session/refresh', 404, 'two segments'],
    ['POST', '/auth//session/refresh', 404, 'an empty segment'],
    ['POST', '/auth/session/refresh//', 404, 'two slashes'],
    ['POST', '/auth/session/Refresh', 404, 'T160'],
    ['POST', '/Auth/session/refresh', 404, 'T160'],
    ['POST', '/auth/session/refresh%2f', 404, 'an encoded slash'],
    ['POST', '/auth/session/%72efresh', 404, 'an encoded letter'],
    ['GET', '/auth/session/refresh', 404, 'T159'],
    ['PUT', '/auth/session/refresh', 404, 'T159'],
    ['POST', '/session/refresh', 404, 'without base path'],
    ['GET', '/auth/signout', 404, 'sign-out by GET'],
    ['POST', JWKS, 404, 'keys by POST'],
  ])('%s %s responds with %i (%s)', async (method, path, status) => {
    const client = await application.signedIn('header');
    const response = await application.send({
      method,
      path,
      headers: { authorization: `Bearer ${client.refreshToken}` },
    });
    expect(response.status).toBe(status);
    expect(tokenTraffic(response)).toEqual(status === 200 ? HEADERS_SET : NOTHING);
  });

  it.each(['session', 'emailpassword', 'anti-csrf', ''])('does not mind the rid "%s" (T162)', async (rid) => {
    const client = await application.signedIn('cookie');
    expect((await client.refresh({ rid, 'fdi-version': '99.0' })).status).toBe(200);
  });

  it.each([
    ['no body and no content type', {}],
    ['an empty body of JSON', { 'content-length': '0' }],
  ])('refresh takes %s (B2)', async (_case, headers) => {
    const client = await application.signedIn('cookie');
    expect((await client.refresh(headers)).status).toBe(200);
  });

  it('publishes the keys to everybody (T278)', async () => {
    const response = await application.send({ path: JWKS });
    expect(response.status).toBe(200);
    expect(response.header('cache-control')).toMatch(/^max-age=\d+, must-revalidate$/);
    expect(response.header('access-control-allow-origin')).toBe('*');
    const { keys } = response.body as { keys: Record<string, string>[] };
    expect(keys.map(({ kid }) => kid)).toEqual([DYNAMIC_TEST_KID, STATIC_TEST_KID]);
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    }
  });

  it('publishes what OpenID Discovery asks for (T281)', async () => {
    const response = await application.send({ path: DISCOVERY });
    expect(response.status).toBe(200);
    expect(response.header('access-control-allow-origin')).toBe('*');
    expect(response.body).toEqual({
      issuer: 'https://api.shop.io/auth',
      jwks_uri: 'https://api.shop.io/auth/jwt/jwks.json',
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['code', 'id_token', 'id_token token'],
    });
  });

  it.each([
    ['/auth/t1/jwt/jwks.json', 200],
    ['/auth/t_1/jwt/jwks.json', 404],
    ['/auth/t1/.well-known/openid-configuration', 200],
    ['/.well-known/openid-configuration', 404],
  ])('GET %s responds with %i (T282)', async (path, status) => {
    expect((await application.send({ path })).status).toBe(status);
  });
});

describe.each(ADAPTERS)('the routes of the module, moved and switched off, on %s', (adapter) => {
  it('are found behind a gateway that strips its prefix, and only there (T259, T281, T283)', async () => {
    const options = { appInfo: { ...SHOP, apiGatewayPath: '/gateway' } };
    const { signedIn, send } = await TestApplication.on(adapter).with(options).start();
    const client = await signedIn('header');
    expect((await client.refresh()).status).toBe(200);
    expect((await send({ path: `/gateway${JWKS}` })).status).toBe(404);
    expect((await client.post('/gateway/auth/signout')).status).toBe(404);
    expect((await send({ path: DISCOVERY })).body).toMatchObject({
      issuer: 'https://api.shop.io/gateway/auth',
      jwks_uri: 'https://api.shop.io/gateway/auth/jwt/jwks.json',
    });
  });

  it('can live at the root (T252)', async () => {
    const options = { appInfo: { ...SHOP, apiBasePath: '/' } };
    const { client, send } = await TestApplication.on(adapter).with(options).start();
    const browser = client('cookie');
    const login = await browser.login();
    expect(login.setCookie('sRefreshToken')?.path).toBe('/session/refresh');
    expect((await browser.post('/session/refresh')).status).toBe(200);
    expect((await browser.post('/signout')).text).toBe('{"status":"OK"}');
    expect((await send({ path: '/jwt/jwks.json' })).status).toBe(200);
  });

  it("do not move with the application's global prefix and versions", async () => {
    const configure = (app: TestApplication['app']): void => {
      app.setGlobalPrefix('api');
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    };
    const { client, send } = await TestApplication.on(adapter).configure(configure).start();
    const mobile = client('header');
    expect((await mobile.post('/api/v1/login', { userId: 'user-1' })).status).toBe(201);
    expect((await mobile.get('/api/v1/me')).status).toBe(200);
    expect((await mobile.refresh()).status).toBe(200);
    expect((await send({ path: JWKS })).status).toBe(200);
    expect((await send({ path: `/api/v1${JWKS}` })).status).toBe(404);
    expect((await mobile.signOut()).status).toBe(200);
  });

  it.each([
    ['getJWKSGET', JWKS],
    ['getOpenIdDiscoveryConfigurationGET', DISCOVERY],
  ])('without %s there is no %s (T280)', async (name, path) => {
    const apis = (original: ApiInterface): ApiInterface => ({ ...original, [name]: undefined });
    const { send } = await TestApplication.on(adapter).with({ override: { apis } }).start();
    expect((await send({ path })).status).toBe(404);
    expect((await send({ path: path === JWKS ? DISCOVERY : JWKS })).status).toBe(200);
  });

  it.each([
    [1234, 'max-age=1234, must-revalidate'],
    [undefined, undefined],
  ])(
    'an overridden getJWKS with validity %s decides the Cache-Control (T279)',
    async (validityInSeconds, header) => {
      const functions = (original: RecipeInterface): RecipeInterface => ({
        ...original,
        getJWKS: async (input) => ({ keys: (await original.getJWKS(input)).keys, validityInSeconds }),
      });
      const { send } = await TestApplication.on(adapter).with({ override: { functions } }).start();
      expect((await send({ path: JWKS })).header('cache-control')).toBe(header);
    },
  );

  it('say GENERAL_ERROR without opening it to other origins', async () => {
    const refusal = { status: 'GENERAL_ERROR', message: 'no' } as const;
    const apis = (original: ApiInterface): ApiInterface => ({
      ...original,
      getJWKSGET: async () => refusal,
      getOpenIdDiscoveryConfigurationGET: async () => refusal,
    });
    const { send } = await TestApplication.on(adapter).with({ override: { apis } }).start();
    for (const path of [JWKS, DISCOVERY]) {
      const response = await send({ path });
      expect([response.status, response.body]).toEqual([200, refusal]);
      expect(response.header('access-control-allow-origin')).toBeUndefined();
    }
  });
});

@Controller('bare')
class BareController {
  @Get()
  get(): string {
    return 'reached';
  }
}

const seen: string[] = [];

@Injectable()
class SeeingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: Parameters<NestInterceptor['intercept']>[1]) {
    seen.push(`${context.getClass().name}.${context.getHandler().name}`);
    return next.handle().pipe(map((body: unknown) => body));
  }
}

@Injectable()
class NoSignOutGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getHandler().name === 'signOut') throw new ForbiddenException('not here');
    return true;
  }
}

describe.each(ADAPTERS)('the routes of the module among global things on %s', (adapter) => {
  it('are public to a global SessionGuard, which guards everything else', async () => {
    const providers = [{ provide: APP_GUARD, useClass: SessionGuard }];
    const controllers = [DemoController, BareController];
    const { signedIn, send } = await TestApplication.on(adapter)
      .providers(...providers)
      .controllers(...controllers)
      .start();
    expect((await send({ path: '/bare' })).status).toBe(401);
    expect((await send({ path: JWKS })).status).toBe(200);
    expect(outcomeOf(await send({ method: 'POST', path: '/auth/session/refresh' }))).toEqual(signedOut());
    const client = await signedIn('cookie');
    expect((await client.get('/bare')).text).toBe('reached');
    expect((await client.refresh()).status).toBe(200);
    expect((await client.signOut()).status).toBe(200);
  });

  it("pass the application's middleware and global guards; no interceptor sees them", async () => {
    seen.length = 0;
    const providers = [
      { provide: APP_GUARD, useClass: NoSignOutGuard },
      { provide: APP_INTERCEPTOR, useClass: SeeingInterceptor },
    ];
    const configure = (app: TestApplication['app']): void => {
      app.use((req: { url: string }, _res: unknown, next: () => void) => {
        seen.push(`middleware ${req.url}`);
        next();
      });
    };
    const { client } = await TestApplication.on(adapter)
      .providers(...providers)
      .configure(configure)
      .start();
    const browser = client('cookie');
    await browser.login();
    seen.length = 0;
    expect((await browser.refresh()).text).toBe('{}');
    expect(seen).toEqual(['middleware /auth/session/refresh']);
    const response = await browser.signOut();
    expect([response.status, response.body]).toMatchObject([403, { message: 'not here' }]);
  });
});
