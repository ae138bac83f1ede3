import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Module,
  UseGuards,
  type DynamicModule,
  type LoggerService,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  embeddedCore,
  memoryStore,
  PermissionClaim,
  postgresStore,
  remoteCore,
  SessionExceptionFilter,
  SessionGuard,
  SessionModule,
  UserRoleClaim,
  type SessionModuleOptions,
} from 'nest-sessions';
import { ADAPTERS, newAdapter, type Adapter } from '../support/adapters.js';
import { SECRET } from '../support/sealed-keys.js';

const appInfo = {
  appName: 'Shop',
  apiDomain: 'http://localhost:3000',
  websiteDomain: 'http://localhost:3000',
};

/** The lines of the module, and a promise for the one about the core, which comes when the core has responded. */
class Lines implements LoggerService {
  readonly infos: string[] = [];
  readonly warnings: string[] = [];
  private readonly waiting: { pattern: RegExp; resolve: () => void }[] = [];

  readonly log = (text: string, of: string): void => this.note(this.infos, text, of);
  readonly warn = (text: string, of: string): void => this.note(this.warnings, text, of);
  readonly error = (): void => undefined;

  async until(pattern: RegExp): Promise<void> {
    if ([...this.infos, ...this.warnings].some((line) => pattern.test(line))) return;
    await new Promise<void>((resolve) => this.waiting.push({ pattern, resolve }));
  }

  private note(lines: string[], text: string, of: string): void {
    if (of !== 'SessionModule') return;
    lines.push(text);
    for (const { pattern, resolve } of this.waiting) if (pattern.test(text)) resolve();
  }
}

function appModule(imports: (Type | DynamicModule)[]): Type {
  @Module({ imports })
  class AppModule {}
  return AppModule;
}

async function startWith(imports: (Type | DynamicModule)[], adapter: Adapter = 'express'): Promise<Lines> {
  const logger = new Lines();
  const app = await NestFactory.create(appModule(imports), newAdapter(adapter), {
    logger,
    abortOnError: false,
  });
  closing.push(async () => app.close());
  await app.listen(0, '127.0.0.1');
  return logger;
}

const start = async (options: Partial<SessionModuleOptions> = {}, adapter?: Adapter): Promise<Lines> =>
  startWith([SessionModule.forRoot({ appInfo, ...options })], adapter);

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe.each(ADAPTERS)('the lines at the start on %s', (adapter) => {
  it('name the routes, the core, and how tokens travel', async () => {
    const lines = await start(
      { userSessionRoutes: true, core: embeddedCore({ signingAlgorithm: 'ES256' }) },
      adapter,
    );
    await lines.until(/^Core/);
    expect(lines.warnings).toEqual([]);
    expect(lines.infos).toEqual([
      'Routes: POST /auth/session/refresh, POST /auth/signout, GET /auth/jwt/jwks.json, ' +
        'GET /auth/.well-known/openid-configuration, GET /auth/sessions, POST /auth/sessions/revoke, ' +
        'POST /auth/sessions/revoke-others',
      'Tokens: cookies or headers, as the client asks (st-auth-mode); cookies with SameSite lax, not Secure; anti-CSRF by SameSite',
      'Core: embedded, with the memory of this process as its store; it responds',
    ]);
  });

  it('say that the keys in the store are sealed (S121)', async () => {
    const lines = await start({ core: embeddedCore({ keyEncryption: { secret: SECRET } }) });
    await lines.until(/^Core/);
    expect(lines.infos.at(-1)).toBe(
      'Core: embedded, with the memory of this process as its store, keys sealed; it responds',
    );
  });

  it('leave out routes that are off, and the prefix that a gateway strips', async () => {
    const lines = await start(
      {
        appInfo: { ...appInfo, apiBasePath: '/', apiGatewayPath: '/gateway' },
        override: { apis: ({ signOutPOST: _off, getJWKSGET: _too, ...rest }) => rest },
        getTokenTransferMethod: () => 'header',
        core: embeddedCore({ signingAlgorithm: 'ES256' }),
      },
      adapter,
    );
    expect(lines.infos[0]).toBe('Routes: POST /session/refresh, GET /.well-known/openid-configuration');
    expect(lines.infos[1]).toContain('as getTokenTransferMethod decides');
  });
});

describe('the lines at the start', () => {
  it('are none with logStartup: false, and warnings alone with the value for that', async () => {
    const away = remoteCore({ connectionURI: 'http://127.0.0.1:9' });
    const none = await start({ logStartup: false, core: away });
    expect([...none.infos, ...none.warnings]).toEqual([]);
    const warned = await start({ logStartup: 'warnings', core: away });
    await warned.until(/^Core/);
    expect(warned.infos).toEqual([]);
    expect(warned.warnings).toHaveLength(1);
    const quiet = 'quiet' as unknown as false;
    expect(() => SessionModule.forRoot({ appInfo, logStartup: quiet })).not.toThrow();
    await expect(start({ logStartup: quiet })).rejects.toThrow(/logStartup.*'warnings' is expected/);
  });

  it('say how sessions are bound to devices, and warn where browsers bind none or cannot keep up', async () => {
    const https = { appName: 'Shop', apiDomain: 'https://api.shop.io', websiteDomain: 'https://shop.io' };
    const right = await start({ appInfo: https, deviceBound: { dbsc: true, dpop: { nonce: 'refresh' } } });
    expect(right.warnings).toEqual([]);
    expect(right.infos).toContain(
      'Device-bound sessions: by browsers (DBSC), whose cookie lives 600 s; by clients that sign in with a DPoP proof, nonce refresh',
    );
    const wrong = await start({ deviceBound: { dbsc: { cookieLifeSec: 30 } } });
    expect(wrong.warnings).toEqual([
      expect.stringContaining('deviceBound.dbsc has no effect: browsers bind sessions over https only'),
      expect.stringContaining('deviceBound.dbsc.cookieLifeSec is 30'),
    ]);
    await expect(start({ deviceBound: {} })).rejects.toThrow(
      'deviceBound: an object does not work: dbsc or dpop is expected',
    );
  });

  it('warn of a remote core that is away, by its host and without its key', async () => {
    const core = remoteCore({
      connectionURI: 'http://127.0.0.1:9/base',
      apiKey: 'a-very-secret-key-of-the-core',
    });
    const lines = await start({ core });
    await lines.until(/^Core/);
    expect(lines.warnings[0]).toMatch(
      /^Core: remote, at http:\/\/127\.0\.0\.1:9\/base; it does not respond .*No restart is needed$/,
    );
    expect(lines.warnings.join()).not.toContain('secret');
  });

  it('warn of a PostgreSQL that is away, by its host and without its password', async () => {
    const refused = async (): Promise<never> => {
      throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' });
    };
    const options = { connectionString: 'postgres://shop:pass-word@db.internal:6432/shop?sslkey=pass-word' };
    const pool = { query: refused, connect: refused, options };
    const lines = await start({ core: embeddedCore({ store: postgresStore(pool) }) });
    await lines.until(/^Core/);
    expect(lines.warnings[0]).toMatch(
      /^Core: embedded, with PostgreSQL at db\.internal:6432; it does not respond/,
    );
    expect(lines.warnings.join()).not.toMatch(/pass-word|shop:/);
  });

  it.each([
    ['production', 1],
    ['development', 0],
  ])('warn of the memory store with NODE_ENV=%s: %i', async (environment, count) => {
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = environment;
    try {
      const core = embeddedCore({ store: memoryStore(), signingAlgorithm: 'ES256' });
      const lines = await start({ core });
      expect(lines.warnings.filter((line) => line.includes('a restart signs every user out'))).toHaveLength(
        count,
      );
    } finally {
      process.env['NODE_ENV'] = before;
    }
  });

  it('say how addresses without a scheme or with a path were understood', async () => {
    const lines = await start({
      appInfo: { ...appInfo, apiDomain: 'localhost:3000', websiteDomain: 'http://localhost:3000/shop' },
    });
    expect(lines.warnings).toEqual([
      expect.stringContaining(
        'appInfo.apiDomain "localhost:3000" has no scheme and counts as http://localhost:3000',
      ),
      expect.stringContaining(
        'appInfo.websiteDomain "http://localhost:3000/shop" is no bare origin and counts as',
      ),
    ]);
    const usual = await start({ appInfo: { ...appInfo, websiteDomain: 'http://LOCALHOST:3000/' } });
    expect(usual.warnings).toEqual([]);
  });

  it('warn of two modules at one base path, once', async () => {
    const module = (name: string) =>
      SessionModule.forRoot({ appInfo: { ...appInfo, appName: name }, isGlobal: false });
    const lines = await startWith([appModule([module('a')]), appModule([module('b')])]);
    expect(lines.warnings).toEqual([expect.stringContaining('2 session modules have the base path /auth')]);
    const apart = await startWith([
      appModule([module('a')]),
      appModule([SessionModule.forRoot({ appInfo: { ...appInfo, apiBasePath: '/staff' }, isGlobal: false })]),
    ]);
    expect(apart.warnings).toEqual([]);
  });
});

describe('a start without what the module needs', () => {
  const compile = async (...imports: (Type | DynamicModule)[]): Promise<unknown> =>
    Test.createTestingModule({ imports }).compile();

  @Controller()
  @UseGuards(SessionGuard)
  class GuardedController {
    @Get() get() {} // prettier-ignore
  }

  it.each<[string, ModuleMetadata]>([
    ['a controller with the guard', { controllers: [GuardedController] }],
    ['a global guard', { providers: [{ provide: APP_GUARD, useClass: SessionGuard }] }],
    ['a global filter', { providers: [{ provide: APP_FILTER, useClass: SessionExceptionFilter }] }],
    ['a guard that extends ours', { providers: [class ApiKeyGuard extends SessionGuard {}] }],
  ])(
    'says that SessionModule.forRoot() is missing where no module imports it, but there is %s',
    async (_what, root) => {
      const compiling = Test.createTestingModule(root).compile();
      await expect(compiling).rejects.toThrow(/SessionModule\.forRoot\(\) is missing in the imports/);
    },
  );

  it('says that forRoot is missing where SessionModule itself is imported', async () => {
    await expect(compile(SessionModule)).rejects.toThrow(
      /SessionModule.* write SessionModule\.forRoot\(\{ appInfo/s,
    );
    const root = SessionModule.forRoot({ appInfo, logStartup: false });
    await expect(compile(root, appModule([SessionModule]))).rejects.toThrow(/It is global/);
  });

  it.each([undefined, null, 'text', []])(
    'says what forRoot and a factory have to give, not %p',
    async (given) => {
      const message =
        /an object with appInfo is expected, at least \{ appInfo: \{ appName, apiDomain, websiteDomain \} \}/;
      const options = given as unknown as SessionModuleOptions;
      expect(() => SessionModule.forRoot(options)).toThrow(message);
      await expect(compile(SessionModule.forRootAsync({ useFactory: () => options }))).rejects.toThrow(
        message,
      );
    },
  );

  it.each([
    ['UserRoleClaim', { claims: [UserRoleClaim] }],
    ['UserRoleClaim', { globalClaimValidators: [UserRoleClaim.validators.includes('admin')] }],
    ['PermissionClaim', { claims: [PermissionClaim] }],
    ['PermissionClaim', { claims: [PermissionClaim], userRoles: { getRolesForUser: () => [] } }],
  ])('refuses %s without a source of its values', async (name, options) => {
    const starting = compile(SessionModule.forRoot({ appInfo, logStartup: false, ...options }));
    await expect(starting).rejects.toThrow(new RegExp(`userRoles.* is missing: .*${name}`));
  });

  it('takes a remote core as a source of roles', async () => {
    const core = remoteCore({ connectionURI: 'http://127.0.0.1:9' });
    const claims = [UserRoleClaim, PermissionClaim];
    await expect(compile(SessionModule.forRoot({ appInfo, core, claims }))).resolves.toBeDefined();
  });
});
