import type { AddressInfo } from 'node:net';
import { openDatabase } from './database.js';
import { startInstance, type Instance } from './instance.js';
import { roundRobin } from './round-robin.js';

/** Two instances behind a proxy. */
export interface TwoInstances {
  /** The origin of the proxy. */
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * Starts the database unless one is given, the proxy, and the instances A and B.
 *
 * @param port of the proxy; 0 takes a free one
 */
export async function startTwoInstances(
  port: number,
  databaseUrl: string | undefined,
): Promise<TwoInstances> {
  const database = await openDatabase(databaseUrl);
  const ports: number[] = [];
  const proxy = roundRobin(ports);
  await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const instances: Instance[] = [];
  for (const name of ['A', 'B']) {
    const instance = await startInstance(name, database.url, origin);
    instances.push(instance);
    ports.push(instance.port);
  }
  return {
    origin,
    close: async () => {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
      await Promise.all(instances.map((instance) => instance.close()));
      await database.close();
    },
  };
}
