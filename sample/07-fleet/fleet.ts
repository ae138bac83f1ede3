import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { roundRobin } from '../02-postgres/round-robin.js';
import type { PreparedStore } from './shared-store.js';

const NAMES = ['A', 'B', 'C'];
const INSTANCE = fileURLToPath(new URL('instance.js', import.meta.url));

/** Three instances behind a proxy. */
export interface Fleet {
  /** The origin of the proxy. */
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * Starts the proxy, and each instance as a process of its own. They share only the store.
 *
 * @param port of the proxy; 0 takes a free one
 */
export async function startFleet(port: number, store: PreparedStore): Promise<Fleet> {
  const ports: number[] = [];
  const proxy = roundRobin(ports);
  await once(proxy.listen(port, '127.0.0.1'), 'listening');
  const origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { kind, address } = store;
  const children = NAMES.map((name) =>
    fork(INSTANCE, { env: { ...env, SETTINGS: JSON.stringify({ name, origin, store: { kind, address } }) } }),
  );
  const close = async (): Promise<void> => {
    proxy.close().closeAllConnections();
    await Promise.all(children.map(async (child) => end(child)));
    await store.close();
  };
  try {
    ports.push(...(await Promise.all(children.map(async (child) => portOf(child)))));
  } catch (error) {
    await close();
    throw error;
  }
  return { origin, close };
}

async function portOf(child: ChildProcess): Promise<number> {
  const died = once(child, 'exit').then(() => Promise.reject(new Error('An instance did not start')));
  const [port] = (await Promise.race([once(child, 'message'), died])) as [number];
  died.catch(() => undefined); // it ends after it has started, of course
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await ended;
}
