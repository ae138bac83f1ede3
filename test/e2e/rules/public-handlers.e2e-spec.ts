import { Injectable, UseGuards, type ExecutionContext, type Provider } from '@nestjs/common';
import { APP_GUARD, ExternalContextCreator } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { PublicAccess, Session, SessionContainer, SessionGuard, VerifySession } from 'nest-sessions';
import { TestApplication } from '../../support/test-application.js';

@Injectable()
class Worker {
  @PublicAccess()
  handle(@Session() session?: SessionContainer) {
    return session === undefined ? 'handled' : 'a session';
  }

  plain() {
    return 'handled';
  }

  @VerifySession()
  closed() {
    return 'handled';
  }
}

@Injectable()
class MessagesPassGuard extends SessionGuard {
  override canActivate(context: ExecutionContext) {
    return context.getType<string>() === 'http' && context.getArgByIndex<object | undefined>(0) !== undefined
      ? super.canActivate(context)
      : this.passWithoutSession(context);
  }
}

/** Calls a handler as libraries for queues and webhooks do, with Nest's creator of contexts. */
async function caller(...providers: Provider[]) {
  const { get } = await TestApplication.on('express')
    .providers(...providers)
    .start();
  const creator = get(ExternalContextCreator);
  return async <T extends object>(handler: T, method: keyof T & string, type: string, ...args: unknown[]) => {
    const call = creator.create(
      handler,
      handler[method] as never,
      method,
      '__routeArguments__',
      { exchangeKeyForValue: () => undefined },
      undefined,
      undefined,
      undefined,
      type as never,
    );
    return (call as (...given: unknown[]) => Promise<unknown>)(...args).catch(
      (error: Error) => error.message,
    );
  };
}

const ARGUMENTS: [string, unknown[]][] = [
  ['an object', [{ id: 1 }, {}]],
  ['a frozen object', [Object.freeze({ id: 1 })]],
  ['text', ['a message']],
  ['null', [null]],
  ['nothing', []],
  ['a list', [[1, 2]]],
];

describe.each(['http', 'rpc', 'rmq', 'necord', 'ws', 'graphql'])(
  'a global SessionGuard and a call in a "%s" context',
  (type) => {
    it.each(ARGUMENTS)('passes a public handler that gets %s', async (_what, args) => {
      const call = await caller(Worker, { provide: APP_GUARD, useClass: SessionGuard });
      expect(await call(new Worker(), 'handle', type, ...args)).toBe('handled');
    });

    it('refuses every other handler, without advice for the caller (S078)', async () => {
      const call = await caller(Worker, { provide: APP_GUARD, useClass: SessionGuard });
      const refused = await Promise.all([
        call(new Worker(), 'plain', type, 'a message'),
        call(new Worker(), 'closed', type, 'a message'),
      ]);
      const message = type === 'http' ? 'The request is no object' : 'Internal server error';
      expect(refused).toEqual([message, message]);
    });
  },
);

describe.each(['rpc', 'rmq', 'anything'])('a guard that passes calls in a "%s" context by itself', (type) => {
  it.each(ARGUMENTS)('needs no request: %s', async (_what, args) => {
    const call = await caller(Worker, { provide: APP_GUARD, useClass: MessagesPassGuard });
    expect(await call(new Worker(), 'plain', type, ...args)).toBe('handled');
  });
});

describe('a guard that passes calls in an "http" context by itself', () => {
  it('needs no request', async () => {
    const call = await caller(Worker, { provide: APP_GUARD, useClass: MessagesPassGuard });
    expect(await call(new Worker(), 'plain', 'http')).toBe('handled');
  });
});

describe('a reference of a federated graph', () => {
  @Injectable()
  @UseGuards(SessionGuard)
  class Users {
    resolveReference(@Session() session: SessionContainer) {
      return session.getUserId();
    }
  }
  const info = { fieldName: '_entities', path: { key: 0, prev: { key: '_entities' } }, operation: {} };

  it.each<[string, (context: unknown) => unknown[]]>([
    ['as the second argument', (context) => [{ id: '7' }, context, info]],
    ['as the third argument', (context) => [{ id: '7' }, {}, context, info]],
    [
      'as the third argument of a call without arguments',
      (context) => [{ id: '7' }, undefined, context, info],
    ],
    ['as the last argument of a call without info', (context) => [{ id: '7' }, context]],
  ])('knows its user where the context comes %s (S081)', async (_where, args) => {
    const { get, sessions, app } = await TestApplication.on('express').providers(Users).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
    const request = {
      method: 'POST',
      url: '/graphql',
      headers: { authorization: `Bearer ${session.getAccessToken()}` },
    };
    const response = {
      getHeader: () => undefined,
      setHeader: () => undefined,
      removeHeader: () => undefined,
      end: () => undefined,
    };
    const users = app.get(Users);
    const call = get(ExternalContextCreator).create(
      users,
      users.resolveReference as never,
      'resolveReference',
      '__routeArguments__',
      { exchangeKeyForValue: () => undefined },
      undefined,
      undefined,
      undefined,
      'graphql' as never,
    ) as (...given: unknown[]) => Promise<unknown>;
    expect(await call(...args({ req: request, res: response }))).toBe('ada');
    await expect(call(...args({ req: { ...request, headers: {} }, res: response }))).rejects.toThrow(
      'unauthorised',
    );
  });
});
