import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { env, exit } from 'node:process';
import { readTls, type Tls } from './tls.js';

/** The HTTP adapter: `ADAPTER=fastify`, else Express. The page looks the same on both. */
export const adapter = env['ADAPTER'] === 'fastify' ? 'fastify' : 'express';

/** The certificate of `TLS_CERT` and `TLS_KEY`. With it sessions are bound to the browser; browsers do that with https only. */
export const tls = tlsOrExit();

/** Life of an access token in seconds: short, to show refreshes. With https the library's default, so that the bound cookie ends first. */
export const accessTokenSeconds = Number(env['ACCESS_TOKEN_SECONDS'] ?? (tls === undefined ? 20 : 3600));

/**
 * Life of the bound cookie in seconds. About as short as browsers allow: they renew it two minutes early, and sign six times in nine
 * minutes. The library's default is ten minutes.
 */
export const boundCookieSeconds = Number(env['BOUND_COOKIE_SECONDS'] ?? 240);

/** `PORT=0` takes a free one at once, because the session module needs the address. */
export const port = Number(env['PORT'] ?? 3000) || (await freePort());

/** The origin of the page and its API. */
export const origin = `${tls === undefined ? 'http' : 'https'}://localhost:${port}`;

function tlsOrExit(): Tls | undefined {
  try {
    return readTls(env);
  } catch (error) {
    console.error((error as Error).message);
    exit(1);
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, 'localhost');
  await once(probe, 'listening');
  const address = probe.address() as AddressInfo;
  await once(probe.close(), 'close');
  return address.port;
}
