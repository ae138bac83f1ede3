import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Controller, Module, Post, Req, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiInterface } from 'nest-sessions';
import { testSessions } from 'nest-sessions/testing';
import { closeAfterTest } from '../support/close-after-test.js';
import { DemoController, HANDLERS } from '../support/demo.controller.js';
import { HttpClient } from '../support/http-client.js';
import { SessionClient } from '../support/session-client.js';
import { ADAPTERS, newAdapter, sessionModule, TestApplication } from '../support/test-application.js';

const passed: string[] = [];

/** Middleware of a module: it runs behind the body parsers. */
@Module({})
class Turnstile implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    const note = (req: { originalUrl: string }, _res: unknown, next: () => void): void => {
      passed.push(req.originalUrl);
      next();
    };
    consumer.apply(note).forRoutes('*path');
  }
}

@Controller()
class EchoController {
  @Post('echo')
  echo(@Req() req: { body?: unknown }): unknown {
    return { body: req.body };
  }
}

const JSON_TYPE = 'application/json';
/** Content type, further headers, body. */
const BODIES: [string, string | undefined, Record<string, string>, string | Uint8Array<ArrayBuffer>][] = [
  ['empty JSON', JSON_TYPE, {}, ''],
  ['JSON that breaks off', JSON_TYPE, {}, '{"a":'],
  ['JSON of no object', JSON_TYPE, {}, 'null'],
  ['JSON with a poisoned prototype', JSON_TYPE, {}, '{"__proto__":{"a":1}}'],
  ['good JSON', JSON_TYPE, {}, '{"a":1}'],
  ['an unknown content type', 'application/x-thing', {}, 'thing'],
  ['an invalid content type', 'nonsense', {}, 'x'],
  ['no content type', undefined, {}, new Uint8Array([1, 2, 3])],
  ['plain text', 'text/plain', {}, 'hello'],
  ['XML', 'application/xml', {}, '<a/>'],
  ['no body under the type of XML', 'text/xml', {}, ''],
  ['a type with parameters', 'application/json; charset=utf-8; version=1', {}, '{}'],
  ['another kind of JSON', 'application/vnd.api+json', {}, '{"data":'],
  ['multipart without a boundary', 'multipart/form-data', {}, 'x'],
  ['multipart', 'multipart/form-data; boundary=b', {}, '--b\r\n\r\nx\r\n--b--'],
  ['a form', 'application/x-www-form-urlencoded', {}, 'a=1&b=2'],
  ['a form of too many fields', 'application/x-www-form-urlencoded', {}, 'a=1&'.repeat(2000)],
  ['an unknown charset', `${JSON_TYPE}; charset=klingon`, {}, '{}'],
  ['another charset', `${JSON_TYPE}; charset=utf-16`, {}, '{}'],
  ['packed JSON', JSON_TYPE, { 'content-encoding': 'gzip' }, new Uint8Array(gzipSync('{}'))],
  ['JSON that only claims to be packed', JSON_TYPE, { 'content-encoding': 'gzip' }, '{}'],
  ['an unknown encoding', JSON_TYPE, { 'content-encoding': 'rar' }, '{}'],
  ['3 MB of JSON', JSON_TYPE, {}, JSON.stringify('x'.repeat(3_000_000))],
];

async function post(
  port: number,
  path: string,
  client: SessionClient,
  request: RequestInit,
): Promise<Response> {
  const headers = { ...client.requestHeaders(path), ...(request.headers as Record<string, string>) };
  return fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', ...request, headers });
}

/** Sends bytes and returns the status of the response, 100 Continue left aside. */
async function statusOf(port: number, bytes: string): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  try {
    let text = '';
    return await new Promise<number>((resolve, reject) => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const status = /^HTTP\/1\.1 (?!100)(\d+)/m.exec(text)?.[1];
        if (status !== undefined) resolve(Number(status));
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error(`closed after ${JSON.stringify(text)}`)));
      socket.write(bytes);
    });
  } finally {
    socket.destroy();
  }
}

/** The status of a refresh whose further headers and body are these bytes. */
async function refreshWith(application: TestApplication, lines: string, body: string): Promise<number> {
  const client = await application.signedIn('cookie');
  const path = '/auth/session/refresh';
  const headers = Object.entries(client.requestHeaders(path)).map(([name, value]) => `${name}: ${value}`);
  const head = [`POST ${path} HTTP/1.1`, 'host: 127.0.0.1', ...headers, lines].join('\r\n');
  return statusOf(application.port, `${head}\r\n\r\n${body}`);
}

describe.each(ADAPTERS)('the routes of the module and the bodies of requests on %s', (adapter) => {
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .with({ userSessionRoutes: true })
      .controllers(DemoController, EchoController)
      .imports(Turnstile)
      .start();
  });

  afterAll(() => application.close());

  it.each(BODIES)(
    'refresh and sign-out take %s, behind all middleware (B2)',
    async (_case, type, headers, body) => {
      const client = await application.signedIn('cookie');
      const all = { ...(type === undefined ? {} : { 'content-type': type }), ...headers };
      for (const path of ['/auth/session/refresh', '/auth/signout']) {
        passed.length = 0;
        const response = await post(application.port, path, client, { headers: all, body });
        expect([response.status, passed]).toEqual([200, [path]]);
      }
    },
  );

  it('refresh takes a body in chunks', async () => {
    const client = await application.signedIn('cookie');
    const body = new Blob(['{"a":', '1']).stream();
    const headers = { 'content-type': JSON_TYPE };
    const response = await post(application.port, '/auth/session/refresh', client, {
      headers,
      body,
      duplex: 'half',
    });
    expect(response.status).toBe(200);
  });

  it.each([
    ['an empty body in chunks', 'transfer-encoding: chunked', '0\r\n\r\n'],
    ['empty JSON in chunks', `content-type: ${JSON_TYPE}\r\ntransfer-encoding: chunked`, '0\r\n\r\n'],
    [
      'a body that waits for 100 Continue',
      `content-type: ${JSON_TYPE}\r\nexpect: 100-continue\r\ncontent-length: 2`,
      '{}',
    ],
    [
      'a length of 10 GB of XML, of which nothing comes',
      'content-type: text/xml\r\ncontent-length: 10000000000',
      '',
    ],
  ])('refresh takes %s', async (_case, lines, body) => {
    expect(await refreshWith(application, lines, body)).toBe(200);
  });

  it.each(BODIES)(
    'revoking a session says 400 to %s, and 401 to a stranger',
    async (_case, type, headers, body) => {
      const client = await application.signedIn('cookie');
      const all = { ...(type === undefined ? {} : { 'content-type': type }), ...headers };
      const path = '/auth/sessions/revoke';
      const response = await post(application.port, path, client, { headers: all, body });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ message: expect.stringContaining('sessionHandle') });
      const stranger = application.client('cookie');
      expect((await post(application.port, path, stranger, { headers: all, body })).status).toBe(401);
    },
  );

  it("leaves the application's own routes to its parsers", async () => {
    const stranger = application.client('cookie');
    const headers = { 'content-type': JSON_TYPE };
    const broken = await post(application.port, '/echo', stranger, { headers, body: '{"a":' });
    expect(broken.status).toBe(400);
    const good = await post(application.port, '/echo', stranger, { headers, body: '{"a":1}' });
    expect(await good.json()).toEqual({ body: { a: 1 } });
  });

  it('a replaced function of a route finds good JSON in the request', async () => {
    const bodies: unknown[] = [];
    const apis = (original: ApiInterface): ApiInterface => ({
      ...original,
      signOutPOST: async (input) => {
        bodies.push((input.options.exchange.request.original as { body?: unknown }).body);
        return original.signOutPOST!(input);
      },
    });
    const { signedIn } = await TestApplication.on(adapter).with({ override: { apis } }).start();
    await (await signedIn('cookie')).post('/auth/signout', { reason: 'done' });
    expect(bodies).toEqual([{ reason: 'done' }]);
  });

  it.each([{ bodyParser: false }, { rawBody: true }])('nothing changes with %j', async (options) => {
    @Module({
      imports: [await sessionModule({ options: { userSessionRoutes: true } })],
      controllers: [DemoController],
      providers: [{ provide: HANDLERS, useValue: {} }],
    })
    class App {}
    const app = await NestFactory.create(App, newAdapter(adapter), { logger: false, ...options });
    closeAfterTest(() => app.close());
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as { port: number };
    const http = new HttpClient(port);
    closeAfterTest(async () => http.close());
    const client = new SessionClient(http, 'cookie');
    client.take(await testSessions(app, { useConfiguredCoreDangerously: true }).createTestSession());
    const broken = { headers: { 'content-type': JSON_TYPE }, body: '{' };
    const revoked = await post(port, '/auth/sessions/revoke', client, broken);
    const refreshed = await post(port, '/auth/session/refresh', client, broken);
    expect([revoked.status, refreshed.status]).toEqual([400, 200]);
  });
});

// On Express, body-parser itself waits for the end of a body that it has refused for its length.
describe('the routes of the module on Fastify', () => {
  it('wait for no body of 10 GB', async () => {
    const application = await TestApplication.on('fastify').start();
    const lines = `content-type: ${JSON_TYPE}\r\ncontent-length: 10000000000`;
    expect(await refreshWith(application, lines, '')).toBe(200);
  });
});
