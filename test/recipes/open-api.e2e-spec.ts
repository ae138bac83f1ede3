import { Controller, Get, Post, UseGuards } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ApiBearerAuth, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describe, expect, it } from '@jest/globals';
import { OptionalSession, PublicAccess, RequireRoles, SessionGuard, UserRoleClaim } from 'nest-sessions';
import { addSessionsToOpenApi } from 'nest-sessions/integrations';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { describeApi, serveDocumentation } from './shown/open-api.js';

@Controller('articles')
@UseGuards(SessionGuard)
class ArticlesController {
  @Get() list() {} // prettier-ignore
  @Get(['one', 'two']) several() {} // prettier-ignore
  @Get('optional') @OptionalSession() optional() {} // prettier-ignore
  @Get('public') @PublicAccess() public() {} // prettier-ignore
  @Post() @RequireRoles('editor') write() {} // prettier-ignore
  @Get('own') @ApiBearerAuth('mine') own() {} // prettier-ignore
}

@Controller('open')
class OpenController {
  @Get() open() {} // prettier-ignore
}

interface Operation {
  readonly security?: object[];
  readonly responses: Record<string, { description: string }>;
  readonly tags?: string[];
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { securitySchemes: Record<string, object> };
}

const NEEDED = [{ sessionCookie: [] }, { sessionToken: [] }];
const config = new DocumentBuilder().setTitle('Shop').setVersion('1').build();

describe.each(ADAPTERS)('the recipe for Swagger on %s', (adapter) => {
  const starter = TestApplication.on(adapter)
    .with({
      userSessionRoutes: true,
      cookieNamePrefixes: true,
      claims: [UserRoleClaim],
      userRoles: { getRolesForUser: () => [] },
    })
    .controllers(ArticlesController, OpenController);

  it('has the security schemes, the routes of sessions, and the security of each guarded route', async () => {
    const { app } = await starter.start();
    const { paths, components } = describeApi(app) as unknown as Document;
    expect(components.securitySchemes).toMatchObject({
      sessionCookie: { type: 'apiKey', in: 'cookie', name: '__Host-sAccessToken' },
      sessionToken: { type: 'http', scheme: 'bearer' },
    });
    const security = Object.fromEntries(
      Object.entries(paths).flatMap(([path, operations]) =>
        Object.entries(operations).map(([method, operation]) => [`${method} ${path}`, operation.security]),
      ),
    );
    expect(security).toEqual({
      'get /articles': NEEDED,
      'post /articles': NEEDED,
      'get /articles/one': NEEDED,
      'get /articles/two': NEEDED,
      'get /articles/optional': [{}, ...NEEDED],
      'get /articles/public': undefined,
      'get /articles/own': [{ mine: [] }],
      'get /open': undefined,
      'post /auth/session/refresh': [],
      'post /auth/signout': NEEDED,
      'get /auth/jwt/jwks.json': [],
      'get /auth/.well-known/openid-configuration': [],
      'get /auth/sessions': NEEDED,
      'post /auth/sessions/revoke': NEEDED,
      'post /auth/sessions/revoke-others': NEEDED,
    });
    expect(Object.keys(paths['/articles']?.['get']?.responses ?? {})).toEqual(['200', '401']);
    expect(Object.keys(paths['/articles']?.['post']?.responses ?? {})).toEqual(['201', '401', '403']);
    expect(paths['/auth/sessions']?.['get']?.tags).toEqual(['sessions']);
  });

  it('finds operations that have names of their own, and leaves out routes that do not exist', async () => {
    const { app } = await starter.with({ userSessionRoutes: false }).start();
    const operationIdFactory = (_controllerKey: string, methodKey: string) => methodKey;
    const made = SwaggerModule.createDocument(app, config, { operationIdFactory });
    const { paths } = addSessionsToOpenApi(made, app, { operationIdFactory, tag: 'auth' });
    expect(paths['/articles']?.get?.security).toEqual(NEEDED);
    expect(paths['/auth/signout']?.post?.tags).toEqual(['auth']);
    expect(paths).not.toHaveProperty('/auth/sessions');
  });

  it('has the security of routes that a global guard protects', async () => {
    const { app } = await starter.providers({ provide: APP_GUARD, useExisting: SessionGuard }).start();
    const { paths } = addSessionsToOpenApi(SwaggerModule.createDocument(app, config), app);
    expect(paths['/open']?.get?.security).toEqual(NEEDED);
  });
});

describe('the page of Swagger on Express', () => {
  it('is served, with the document', async () => {
    const { client, app } = await TestApplication.on('express').configure(serveDocumentation).start();
    expect((await client().get('/docs')).status).toBe(200);
    const { paths } = (await client().get('/docs-json')).body as Document;
    expect(Object.keys(paths)).toEqual(Object.keys(describeApi(app).paths));
    expect(paths).toHaveProperty('/auth/session/refresh');
  });
});

describe('addSessionsToOpenApi', () => {
  it('refuses what is no document', async () => {
    const { app } = await TestApplication.on('express').start();
    for (const wrong of [undefined, config, {}])
      expect(() => addSessionsToOpenApi(wrong as never, app)).toThrow(
        /^addSessionsToOpenApi takes a document with paths: what SwaggerModule\.createDocument\(app, config\) returns$/,
      );
  });

  it('says that there are no sessions', () => {
    const app = {
      get: () => {
        throw new Error('Nest could not find');
      },
    };
    expect(() => addSessionsToOpenApi({ paths: {} }, app as never)).toThrow(
      /^addSessionsToOpenApi found no SessionModule/,
    );
  });
});
