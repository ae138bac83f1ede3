import type { Server } from 'node:net';
import { Controller, Get, UseGuards, type ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ClientProxyFactory, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { describe, expect, it, jest } from '@jest/globals';
import { firstValueFrom } from 'rxjs';
import {
  InvalidClaimsError,
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  SessionGuard,
  SessionService,
  TokenTheftDetectedError,
  UnauthorisedError,
  VerifySession,
  type SessionClaimValidator,
} from 'nest-sessions';
import { ADAPTERS, TestApplication, type Adapter } from '../../support/test-application.js';

const admin: SessionClaimValidator = { id: 'admin', validate: () => ({ isValid: false }) };
const REFUSED = { error: { status: 'error', message: 'Internal server error' } };
const ADVICE = 'it does not know how to find a session in a "rpc" context: extend it and override';

/** A way of one's own to authorise messages. */
class QueueGuard extends SessionGuard {
  override canActivate(context: ExecutionContext) {
    return context.getType<string>() === 'rpc'
      ? this.passWithoutSession(context)
      : super.canActivate(context);
  }
}

@Controller()
class OrdersController {
  readonly received: unknown[] = [];

  constructor(private readonly sessions: SessionService) {}

  @Get('orders')
  @UseGuards(SessionGuard)
  list(@Session('userId') userId: string) {
    return { userId };
  }

  @MessagePattern('plain') plain() { return 'reached'; } // prettier-ignore
  @MessagePattern('closed') @UseGuards(SessionGuard) @VerifySession() closed() { return 'reached'; } // prettier-ignore
  @MessagePattern('claims') @UseGuards(SessionGuard) @RequireClaims(admin) claims() { return 'reached'; } // prettier-ignore
  @MessagePattern('own') @UseGuards(QueueGuard) own(@Session() session?: SessionContainer) { return session === undefined; } // prettier-ignore
  @MessagePattern('unauthorised') @PublicAccess() unauthorised() { throw new UnauthorisedError('handle h-1 has ended'); } // prettier-ignore
  @MessagePattern('theft') @PublicAccess() theft() { throw new TokenTheftDetectedError('h-1', 'ada'); } // prettier-ignore
  @MessagePattern('invalid') @PublicAccess() invalid() { throw new InvalidClaimsError([{ id: 'admin', reason: { message: 'wrong value', actualValue: 'SECRET' } }]); } // prettier-ignore
  @EventPattern('closed-event') @UseGuards(SessionGuard) closedEvent(@Payload() data: unknown) { this.received.push(data); } // prettier-ignore

  @MessagePattern('public')
  @PublicAccess()
  public(@Payload() data: unknown, @Session() session?: SessionContainer) {
    return { data, session: session ?? null };
  }

  @MessagePattern('with-token')
  @PublicAccess()
  async withToken(@Payload() { accessToken }: { accessToken: string }) {
    return (await this.sessions.getSessionWithoutRequestResponse({ accessToken })).getUserId();
  }

  @EventPattern('public-event')
  @PublicAccess()
  publicEvent(@Payload() data: unknown) {
    this.received.push(data);
  }
}

/** An application that serves HTTP, and messages over TCP. */
async function hybrid(adapter: Adapter, { inherits, isGlobal }: { inherits: boolean; isGlobal: boolean }) {
  const log = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
  const local = { host: '127.0.0.1', port: 0 };
  const started = await TestApplication.on(adapter)
    .controllers(OrdersController)
    .providers(QueueGuard, ...(isGlobal ? [{ provide: APP_GUARD, useExisting: SessionGuard }] : []))
    .logger(log)
    .configure((each) => {
      each.connectMicroservice({ transport: Transport.TCP, options: local }, { inheritAppConfig: inherits });
    })
    .start();
  const { app, sessions, send } = started;
  await app.startAllMicroservices();
  const server = app.getMicroservices()[0]?.unwrap<Server>().address() as { port: number };
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { ...local, port: server.port },
  });
  const ask = async (pattern: string, data: unknown = {}): Promise<unknown> =>
    firstValueFrom(client.send<unknown>(pattern, data)).catch((error: unknown) => ({ error }));
  return {
    ask,
    sessions,
    send,
    emit: async (pattern: string) =>
      firstValueFrom(client.emit(pattern, pattern), { defaultValue: undefined }),
    received: app.get(OrdersController).received,
    errors: () => log.error.mock.calls.map(([message]) => String(message)),
    warnings: () => log.warn.mock.calls.flat().join('\n'),
    close: async () => client.close(),
  };
}

const WAYS = [true, false].flatMap((inherits) => [true, false].map((isGlobal) => ({ inherits, isGlobal })));

describe.each(ADAPTERS)('a hybrid application on %s', (adapter) => {
  it.each(WAYS)(
    'passes public messages, and refuses guarded ones without a crash: %j (S078)',
    async (way) => {
      const { ask, emit, received, errors, warnings, close, send, sessions } = await hybrid(adapter, way);
      for (const data of ['text', { id: 1 }, [1, 2], 7]) {
        expect(await ask('public', data)).toEqual({ data, session: null });
        expect([await ask('closed', data), await ask('claims', data)]).toEqual([REFUSED, REFUSED]);
      }
      expect(errors().filter((each) => each.includes(ADVICE))).toHaveLength(8);
      // Nest runs the global guards of an application for messages only with inheritAppConfig.
      expect(await ask('plain')).toEqual(way.inherits && way.isGlobal ? REFUSED : 'reached');
      await emit('closed-event');
      await emit('public-event');
      await ask('public');
      expect(received).toEqual(['public-event']);
      expect(warnings()).toBe('');
      expect((await send({ path: '/orders' })).status).toBe(401);
      const token = (
        await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' })
      ).getAccessToken();
      const headers = { authorization: `Bearer ${token}` };
      expect((await send({ path: '/orders', headers })).body).toEqual({ userId: 'ada' });
      expect(await ask('with-token', { accessToken: token })).toBe('ada');
      await close();
    },
  );

  it('passes what a guard of the application passes, without a session', async () => {
    const { ask, close } = await hybrid(adapter, { inherits: true, isGlobal: false });
    expect(await ask('own')).toBe(true);
    await close();
  });

  it('sends the type of a session error, and none of its fields (S103)', async () => {
    const { ask, close } = await hybrid(adapter, { inherits: true, isGlobal: true });
    const refused = (type: string, message: string, details = {}) => ({
      error: { status: 'error', type, message, ...details },
    });
    expect(await ask('unauthorised')).toEqual(refused('UNAUTHORISED', 'unauthorised'));
    expect(await ask('theft')).toEqual(refused('TOKEN_THEFT_DETECTED', 'token theft detected'));
    const claimValidationErrors = [{ id: 'admin', reason: { message: 'wrong value' } }];
    expect(await ask('invalid')).toEqual(
      refused('INVALID_CLAIMS', 'invalid claim', { claimValidationErrors }),
    );
    expect(await ask('with-token', { accessToken: 'forged' })).toMatchObject({
      error: { type: 'UNAUTHORISED' },
    });
    await close();
  });

  it('warns of a message with session decorators that no guard of its own enforces', async () => {
    @Controller()
    class OpenController {
      @MessagePattern('open') @VerifySession() open() {} // prettier-ignore
    }
    const warn = jest.fn();
    await TestApplication.on(adapter)
      .controllers(OpenController)
      .logger({ log: () => undefined, error: () => undefined, warn })
      .configure((app) => {
        app.connectMicroservice({ transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } });
      })
      .start();
    expect(warn.mock.calls.flat().join()).toContain('OpenController.open (@VerifySession)');
  });
});
