import type { ExecutionContext } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { describe, expect, it } from '@jest/globals';
import { SessionGuard, type SessionModuleOptions } from 'nest-sessions';
import { DemoController } from '../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { NOTHING, tokenTraffic } from '../support/token-traffic.js';
import { watchedStore } from '../support/watched-store.js';

describe.each(ADAPTERS)('a guard whose parts fail on %s', (adapter) => {
  const broken = (): never => {
    throw new Error('broken part');
  };
  it.each<[string, Partial<SessionModuleOptions>]>([
    ['getTokenTransferMethod', { getTokenTransferMethod: broken }],
    ['getCookieNameForTokenType', { getCookieNameForTokenType: broken }],
    ['getSession', { override: { functions: (original) => ({ ...original, getSession: broken }) } }],
    ['verifySession', { override: { apis: (original) => ({ ...original, verifySession: broken }) } }],
    [
      'getGlobalClaimValidators',
      { override: { functions: (original) => ({ ...original, getGlobalClaimValidators: broken }) } },
    ],
    ['validateClaims', { override: { functions: (original) => ({ ...original, validateClaims: broken }) } }],
    ['origin', { appInfo: { appName: 'Shop', apiDomain: 'https://api.shop.io', origin: broken } }],
  ])('stops the request when %s throws (S078)', async (_part, options) => {
    const { sessions, send } = await TestApplication.on(adapter).with(options).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const cookie = `sAccessToken=${session.getAccessToken()}`;
    const response = await send({ method: 'POST', path: '/me', headers: { cookie } });
    expect([response.status, response.text]).toEqual([
      500,
      '{"statusCode":500,"message":"Internal server error"}',
    ]);
  });

  it('stops the request when the store fails where the database is asked (S030, S078)', async () => {
    const { store, failing: failingCalls } = await watchedStore();
    const { signedIn } = await TestApplication.on(adapter).store(store).start();
    const client = await signedIn('cookie');
    failingCalls.add('findSession');
    const response = await client.get('/checked');
    expect([response.status, response.header('retry-after')]).toEqual([503, '1']);
    expect(tokenTraffic(response)).toEqual(NOTHING);
  });
});

describe.each(ADAPTERS)('a guard in other contexts than HTTP on %s', (adapter) => {
  it.each([
    ['rpc', 'extend it and override getRequestAndResponse'],
    ['ws', 'call SessionSockets.admit(client, request)'],
    ['graphql', ''],
    ['anything', 'extend it and override getRequestAndResponse'],
  ])('refuses the context "%s", whatever it carries, and says what to do (S078)', async (type, advice) => {
    const context = contextOf(type, { headers: {}, method: 'GET' });
    const { app } = await TestApplication.on(adapter).start();
    const decision = app.get(SessionGuard).canActivate(context);
    for (const part of [`"${type}"`, advice]) {
      await expect(decision).rejects.toMatchObject({
        message: 'Internal server error',
        cause: { message: expect.stringContaining(part) },
      });
    }
  });

  it('can be taught another context by a subclass, throws there and never responds by itself (S078, S081 HTTP part)', async () => {
    class GraphqlGuard extends SessionGuard {
      protected override getRequestAndResponse(context: ExecutionContext) {
        const { req, res } = context.getArgByIndex<{ req: unknown; res: unknown }>(2);
        return { req, res };
      }
    }
    const { app } = await TestApplication.on(adapter)
      .controllers(DemoController)
      .providers(GraphqlGuard)
      .start();
    const req = { headers: {}, method: 'POST', url: '/graphql' };
    const responses: string[] = [];
    const sending = ['end', 'send', 'json', 'status', 'writeHead', 'write'] as const;
    const res = {
      getHeader: () => undefined,
      setHeader: () => undefined,
      removeHeader: () => undefined,
      ...Object.fromEntries(sending.map((name) => [name, () => responses.push(name)])),
    };
    const context = contextOf('graphql', undefined, undefined, { req, res });
    await expect(app.get(GraphqlGuard).canActivate(context)).rejects.toMatchObject({
      type: 'UNAUTHORISED',
    });
    expect(responses).toEqual([]);
  });
});

describe.each(ADAPTERS)('a guard that meets more than any server lets through on %s', (adapter) => {
  it.each<[string, Record<string, string>]>([
    ['1 MB of Authorization', { authorization: `Bearer ${'a'.repeat(1 << 20)}` }],
    ['16 kB in one cookie', { cookie: `sAccessToken=${'a'.repeat(16_384)}` }],
    ['16 kB of cookies', { cookie: `${'a=b; '.repeat(3277)}sAccessToken=junk` }],
    ['1 MB of cookies', { cookie: 'sAccessToken=a.b.c; '.repeat(52_429) }],
    ['deep JSON', { authorization: `Bearer e30.${Buffer.from('['.repeat(6000)).toString('base64url')}.x` }],
  ])('finds no session in %s (S011, S102)', async (_case, headers) => {
    const { app } = await TestApplication.on(adapter).start();
    const response = {
      getHeader: () => undefined,
      setHeader: () => undefined,
      removeHeader: () => undefined,
    };
    const context = contextOf(
      'http',
      { method: 'POST', url: '/', headers },
      { ...response, end: () => undefined },
    );
    await expect(app.get(SessionGuard).canActivate(context)).rejects.toMatchObject({
      type: 'UNAUTHORISED',
      payload: { clearTokens: false },
    });
  });
});

function contextOf(type: string, ...args: unknown[]): ExecutionContext {
  const context = new ExecutionContextHost(args, DemoController, DemoController.prototype.me);
  context.setType(type);
  return context;
}
