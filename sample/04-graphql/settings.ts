import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Where the sample runs. */
export interface Settings {
  readonly adapter: 'express' | 'fastify';
  readonly port: number;
  /** Address of the website and of its API. */
  readonly origin: string;
}

/** @param port 0 takes a free one, and takes it now: the session module is told its own address */
export async function settingsFor(adapter: string | undefined, port: number): Promise<Settings> {
  const taken = port || (await freePort());
  return {
    adapter: adapter === 'fastify' ? 'fastify' : 'express',
    port: taken,
    origin: `http://localhost:${taken}`,
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, 'localhost');
  await once(probe, 'listening');
  const address = probe.address() as AddressInfo;
  await once(probe.close(), 'close');
  return address.port;
}
