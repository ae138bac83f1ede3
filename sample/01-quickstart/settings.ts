import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { env } from 'node:process';

/** Which HTTP adapter serves the sample: `ADAPTER=fastify`, else Express. The page looks the same on both. */
export const adapter = env['ADAPTER'] === 'fastify' ? 'fastify' : 'express';

/** Life of an access token in seconds. Short, so that refreshing is seen; an hour is the library's default. */
export const accessTokenSeconds = Number(env['ACCESS_TOKEN_SECONDS'] ?? 20);

/** `PORT=0` takes a free one, and takes it now: the session module is told its own address. */
export const port = Number(env['PORT'] ?? 3000) || (await freePort());

/** Where the page and its API live. */
export const origin = `http://localhost:${port}`;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, 'localhost');
  await once(probe, 'listening');
  const address = probe.address() as AddressInfo;
  await once(probe.close(), 'close');
  return address.port;
}
