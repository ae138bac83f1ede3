import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { env } from 'node:process';

/** The HTTP adapter: `ADAPTER=fastify`, else Express. The page looks the same on both. */
export const adapter = env['ADAPTER'] === 'fastify' ? 'fastify' : 'express';

/** Life of an access token in seconds: short, to show refreshes. The library's default is an hour. */
export const accessTokenSeconds = Number(env['ACCESS_TOKEN_SECONDS'] ?? 20);

/** `PORT=0` takes a free one at once, because the session module needs the address. */
export const port = Number(env['PORT'] ?? 3000) || (await freePort());

/** The origin of the page and its API. */
export const origin = `http://localhost:${port}`;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, 'localhost');
  await once(probe, 'listening');
  const address = probe.address() as AddressInfo;
  await once(probe.close(), 'close');
  return address.port;
}
