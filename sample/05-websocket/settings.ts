import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** The addresses of the sample. */
export interface Settings {
  readonly adapter: 'express' | 'fastify';
  /** Life of an access token: short, to show renewals. */
  readonly accessTokenSeconds: number;
  readonly port: number;
  /** Address of the website and of its API. */
  readonly origin: string;
}

/**
 * Resolves the addresses of the sample.
 *
 * @param port 0 takes a free one at once, because the session module needs the address
 */
export async function settingsFor(
  adapter: string | undefined,
  port: number,
  accessTokenSeconds: number,
): Promise<Settings> {
  const taken = port || (await freePort());
  return {
    adapter: adapter === 'fastify' ? 'fastify' : 'express',
    accessTokenSeconds,
    port: taken,
    origin: `http://127.0.0.1:${taken}`,
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address() as AddressInfo;
  await once(probe.close(), 'close');
  return address.port;
}
