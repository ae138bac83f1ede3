import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../testing/test-clock.js';
import { diagnose } from './diagnose.js';
import { createHttpSender } from './http-sender.js';

async function withServer(server: Server, test: (origin: string) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await test(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const serving = (listener: RequestListener): Server => createServer(listener);
const newSender = (timeoutMs = 10_000) => createHttpSender({ timeoutMs, clock: new TestClock(1000) });

describe('asking over HTTP', () => {
  it('records status, every header line and the body, and follows no redirect', async () => {
    const server = serving((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        res.writeHead(307, { location: '/elsewhere', 'Set-Cookie': ['a=1', 'b=2'] });
        res.end(
          `${req.method} ${req.url} ${req.headers['x-own']?.toString()} ${Buffer.concat(chunks).toString()}`,
        );
      });
    });
    await withServer(server, async (origin) => {
      const exchange = await newSender()({
        method: 'POST',
        url: `${origin}/login?x=1`,
        headers: { 'x-own': 'yes' },
        body: 'Ä',
      });
      expect(exchange).toMatchObject({
        method: 'POST',
        url: `${origin}/login?x=1`,
        sentAtMs: 1000,
        receivedAtMs: 1000,
      });
      expect(exchange.response).toMatchObject({ status: 307, body: 'POST /login?x=1 yes Ä' });
      expect(exchange.response?.headers).toEqual(
        expect.arrayContaining([
          ['location', '/elsewhere'],
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ]),
      );
    });
  });

  it('stops reading a body that is longer than anything of ours', async () => {
    const server = serving((_req, res) => {
      res.on('error', () => undefined);
      const write = (): void => {
        while (!res.destroyed && res.write('x'.repeat(64 * 1024)));
        if (!res.destroyed) res.once('drain', write);
      };
      write();
    });
    await withServer(server, async (origin) => {
      const { response } = await newSender()({ method: 'GET', url: origin, headers: {} });
      expect(response?.body.length).toBeLessThanOrEqual(256 * 1024);
    });
  });

  it('says why there is no response', async () => {
    let closed = '';
    await withServer(createServer(), async (origin) => {
      closed = origin;
    });
    const { failure, response } = await newSender()({ method: 'GET', url: closed, headers: {} });
    expect({ failure, response }).toEqual({ failure: 'ECONNREFUSED', response: undefined });
  });

  it('waits no longer than told', async () => {
    await withServer(createTcpServer(), async (origin) => {
      const exchange = await newSender(50)({ method: 'GET', url: origin, headers: {} });
      expect(exchange.failure).toBe('TIMEOUT');
    });
  });
});

describe('an API that does not respond', () => {
  it('is one finding, and no exception', async () => {
    const hanging = createTcpServer((socket) => socket.end('this is not HTTP\r\n\r\n'));
    await withServer(hanging, async (origin) => {
      const diagnosis = await diagnose({ api: `${origin}/auth`, signIn: 'POST /login' });
      expect(diagnosis.isReachable).toBe(false);
      expect(diagnosis.findings).toEqual([
        expect.objectContaining({
          level: 'error',
          code: 'address.reachable',
          seen: expect.stringContaining('HPE_'),
        }),
      ]);
    });
  });

  it.each([
    [{ api: 'api.shop.io/auth' }],
    [{ api: 'ftp://api.shop.io/auth' }],
    [{ api: 'https://user:password@api.shop.io/auth' }],
    [{ api: 'https://api.shop.io', website: 'shop.io' }],
    [{ api: 'https://api.shop.io', signIn: '/login' }],
    [{ api: 'https://api.shop.io', timeoutMs: 0 }],
    [{ api: 'https://api.shop.io', timeoutMs: Infinity }],
    [{ api: 'https://api.shop.io', signIn: 'POST //login {}' }],
    [{ api: 'https://api.shop.io', signIn: { method: 'POST', path: 'https://shop.io/login' } }],
  ])('is never asked with %j', async (options) => {
    await expect(diagnose(options)).rejects.toThrow(TypeError);
  });
});
