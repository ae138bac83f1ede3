import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata } from '@grpc/grpc-js';
import { Controller, UseGuards, type ExecutionContext } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import {
  ClientProxyFactory,
  GrpcMethod,
  KafkaContext,
  MqttContext,
  NatsContext,
  RmqContext,
  TcpContext,
  Transport,
  type ClientGrpc,
} from '@nestjs/microservices';
import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, type Observable } from 'rxjs';
import { OptionalSession, Session, sessionOf, UserRoleClaim, VerifySession } from 'nest-sessions';
import { RpcSessionGuard } from 'nest-sessions/integrations';
import { findAuthorization } from '../../lib/integrations/rpc-session.guard.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { freePort } from '../support/free-port.mjs';
import { TestApplication } from '../support/test-application.js';
import { OrderMessages } from './shown/messages.js';

/** The filter of SessionModule is global: it reaches the microservices of a hybrid application only so. */
const WITH_FILTERS = { inheritAppConfig: true };
const local = { host: '127.0.0.1', port: 0 };
const rolesOfUsers: Record<string, string[]> = { ada: ['admin'] };
const withRoles = {
  claims: [UserRoleClaim],
  userRoles: { getRolesForUser: ({ userId }: { userId: string }) => rolesOfUsers[userId] ?? [] },
};

describe('the recipe for messages over TCP', () => {
  async function started() {
    const { app, testSessions, sessions, clock } = await TestApplication.on('express')
      .with(withRoles)
      .controllers(OrderMessages)
      .providers(RpcSessionGuard)
      .configure(
        (each) => void each.connectMicroservice({ transport: Transport.TCP, options: local }, WITH_FILTERS),
      )
      .start();
    await app.startAllMicroservices();
    const server = app.getMicroservices()[0]?.unwrap<Server>().address() as { port: number };
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { ...local, port: server.port },
    });
    closeAfterTest(async () => client.close());
    const ask = async (pattern: string, message: object): Promise<unknown> =>
      firstValueFrom(client.send<unknown>(pattern, message)).catch((error: unknown) => error);
    const tokenOf = async (userId: string): Promise<{ metadata: { authorization: string } }> => {
      const { accessToken } = await testSessions.createTestSession({ userId });
      return { metadata: { authorization: `Bearer ${accessToken}` } };
    };
    return { ask, tokenOf, sessions, clock };
  }

  it('finds the user of a message, by its own token', async () => {
    const { ask, tokenOf } = await started();
    const [ada, bob] = [await tokenOf('ada'), await tokenOf('bob')];
    expect(
      await Promise.all([
        ask('orders.list', { ...ada, page: 1 }),
        ask('orders.list', { ...bob, page: 2 }),
        ask('orders.prices', {}),
      ]),
    ).toEqual([{ ordersOf: 'ada', page: 1 }, { ordersOf: 'bob', page: 2 }, { tea: 2 }]);
    expect(await ask('orders.delete', ada)).toEqual({ deletedBy: 'ada' });
  });

  it('refuses the others in a sentence', async () => {
    const { ask, tokenOf, clock } = await started();
    const refused = { status: 'error', type: 'UNAUTHORISED', message: 'unauthorised' };
    expect(await ask('orders.list', { page: 1 })).toEqual(refused);
    expect(await ask('orders.list', { metadata: { authorization: 'Basic abc' } })).toEqual(refused);
    const forged = { metadata: { authorization: 'Bearer forged' } };
    expect(await ask('orders.list', forged)).toMatchObject({ status: 'error', type: 'UNAUTHORISED' });
    const bob = await tokenOf('bob');
    expect(await ask('orders.delete', bob)).toMatchObject({
      type: 'INVALID_CLAIMS',
      claimValidationErrors: [{ id: 'st-role' }],
    });
    clock.advanceSeconds(3601);
    expect(await ask('orders.list', bob)).toMatchObject({ type: 'TRY_REFRESH_TOKEN' });
  });
});

const PROTO = `syntax = "proto3";
package shop;
service Orders {
  rpc List (Page) returns (Listed);
  rpc Optional (Page) returns (Listed);
  rpc Fresh (Page) returns (Listed);
}
message Page { int32 page = 1; }
message Listed { string user = 1; string seen = 2; }
`;

interface Orders {
  list(page: object, metadata?: Metadata): Observable<object>;
  optional(page: object, metadata?: Metadata): Observable<object>;
  fresh(page: object, metadata?: Metadata): Observable<object>;
}

@Controller()
@UseGuards(RpcSessionGuard)
class GrpcOrders {
  @GrpcMethod('Orders', 'List') list(_page: object, @Session('userId') user: string) { return { user, seen: '' }; } // prettier-ignore
  @GrpcMethod('Orders', 'Optional') @OptionalSession() optional() { return { user: '', seen: 'stranger' }; } // prettier-ignore
  @GrpcMethod('Orders', 'Fresh') @VerifySession({ checkDatabase: true }) fresh(_page: object, @Session('userId') user: string) { return { user, seen: 'now' }; } // prettier-ignore
}

describe('the recipe for messages over gRPC', () => {
  it('finds the user by the metadata of the call', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-grpc-'));
    const protoPath = join(folder, 'orders.proto');
    writeFileSync(protoPath, PROTO);
    const options = { package: 'shop', protoPath, url: `127.0.0.1:${await freePort()}` };
    const { app, testSessions, sessions } = await TestApplication.on('express')
      .controllers(GrpcOrders)
      .providers(RpcSessionGuard)
      .configure((each) => {
        each.connectMicroservice({ transport: Transport.GRPC, options }, WITH_FILTERS);
      })
      .start();
    await app.startAllMicroservices();
    const client = ClientProxyFactory.create({
      transport: Transport.GRPC,
      options,
    }) as unknown as ClientGrpc & { close(): void };
    closeAfterTest(async () => {
      client.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const orders = client.getService<Orders>('Orders');
    const session = await testSessions.createTestSession({ userId: 'ada' });
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${session.accessToken}`);
    const ask = async (name: keyof Orders, sent?: Metadata): Promise<unknown> =>
      firstValueFrom(orders[name]({ page: 1 }, sent ?? new Metadata())).catch((error: unknown) => ({
        error: (error as { details?: string }).details,
      }));
    expect(await ask('list', metadata)).toEqual({ user: 'ada', seen: '' });
    expect(await ask('optional')).toEqual({ user: '', seen: 'stranger' });
    expect(await ask('list')).toEqual({ error: expect.stringContaining('unauthorised') });
    expect(await ask('fresh', metadata)).toEqual({ user: 'ada', seen: 'now' });
    await sessions.revokeSession(session.sessionHandle);
    expect(await ask('fresh', metadata)).toEqual({ error: expect.stringContaining('unauthorised') });
  });
});

describe('the place where RpcSessionGuard finds the token', () => {
  const token = 'Bearer abc';
  const grpc = new Metadata();
  grpc.set('authorization', token);
  const twice = new Metadata();
  twice.add('authorization', token);
  twice.add('authorization', 'Bearer other');
  const natsHeaders = new Map([['authorization', token]]);

  it.each<[string, unknown[], string | undefined]>([
    ['gRPC', [{}, grpc], token],
    ['gRPC, two of them', [{}, twice], undefined],
    ['gRPC, none', [{}, new Metadata()], undefined],
    ['NATS', ['text', new NatsContext(['subject', natsHeaders])], token],
    ['NATS without headers', [{}, new NatsContext(['subject', undefined])], undefined],
    ['Kafka', [{}, kafkaContext({ authorization: Buffer.from(token) })], token],
    ['RabbitMQ', [{}, rabbitContext({ authorization: token })], token],
    [
      'MQTT 5',
      [{}, new MqttContext(['topic', { properties: { userProperties: { authorization: token } } }])],
      token,
    ],
    ['TCP', [{ metadata: { authorization: token } }, new TcpContext([{} as never, 'pattern'])], token],
    [
      'TCP, in the wrong place',
      [{ authorization: token }, new TcpContext([{} as never, 'pattern'])],
      undefined,
    ],
    [
      'TCP, no text',
      [{ metadata: { authorization: 7 } }, new TcpContext([{} as never, 'pattern'])],
      undefined,
    ],
    ['a message that is no object', [7], undefined],
    ['no message', [], undefined],
  ])('%s', (_transport, args, expected) => {
    expect(findAuthorization(args)).toBe(expected);
  });

  it('is replaced by a class that extends it', async () => {
    class PayloadGuard extends RpcSessionGuard {
      protected override getAuthorization(context: ExecutionContext): string | undefined {
        const { token: sent } = context.switchToRpc().getData<{ token?: string }>();
        return sent === undefined ? undefined : `Bearer ${sent}`;
      }
    }
    const { get, sessions } = await TestApplication.withoutServer()
      .imports({ module: Messages, providers: [PayloadGuard] })
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
    const context = rpcContext({ token: session.getAccessToken() });
    await expect(get(PayloadGuard).canActivate(context)).resolves.toBe(true);
    expect(sessionOf(context)?.getUserId()).toBe('ada');
    await expect(get(PayloadGuard).canActivate(rpcContext({}))).rejects.toThrow('requires a session');
  });
});

class Messages {
  handle(): void {}
}

/** The context of a guard for a message, as Nest makes it. */
function rpcContext(data: object): ExecutionContext {
  const context = new ExecutionContextHost(
    [data, new TcpContext([{} as never, 'pattern'])],
    Messages as never,
    Messages.prototype.handle,
  );
  context.setType('rpc');
  return context;
}

function kafkaContext(headers: object): KafkaContext {
  return new KafkaContext([{ headers } as never, 0, 'topic', {} as never, async () => {}, {} as never]);
}

function rabbitContext(headers: object): RmqContext {
  return new RmqContext([{ properties: { headers } }, {}, 'pattern']);
}
