import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisStore } from 'nest-sessions';
import { createClient, createCluster } from 'redis';
import { freePort } from '../../support/free-port.mjs';
import { filler } from './filler.mjs';
import { processCpuMs } from './postgres-store.mjs';

const TOGETHER = 1000;

/**
 * Redis with an append-only file, on disk within a second as most run it, or before it responds.
 *
 * @param {'everysec' | 'always'} appendfsync
 * @returns {import('./store-subject.mjs').OpenStores}
 */
function opener(appendfsync) {
  return async () => {
    const server = await startServer(appendfsync);
    const client = createClient({ url: server.url });
    client.on('error', () => {});
    await client.connect();
    const used = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
    return {
      serverCpuMs: () => processCpuMs(server.pid),
      table: async (name) => {
        const before = await used();
        const store = redisStore(client, { keyPrefix: `${name}:` });
        return {
          store,
          fill: async (from, count) => {
            for (let i = from; i < from + count; i += TOGETHER) {
              const rows = Array.from({ length: Math.min(TOGETHER, from + count - i) }, (_, n) =>
                filler.row(i + n),
              );
              await Promise.all(rows.map((each) => store.insertSession(each)));
            }
          },
          settle: async () => {},
          serverBytes: async () => (await used()) - before,
        };
      },
      close: async () => {
        client.destroy();
        await server.stop();
      },
    };
  };
}

export const open = opener('everysec');
export const openSynced = opener('always');

/**
 * A server for processes other than this one, which writes to its disk within a second.
 *
 * @returns its URL, and how to stop it
 */
export async function openServer() {
  const server = await startServer('everysec');
  return { url: server.url, close: server.stop };
}

/** The same as a cluster of three. */
export async function openCluster() {
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port'];
  const servers = [];
  for (let n = 0; n < 3; n++) servers.push(await startServer('everysec', [...cluster, await freePort()]));
  const places = servers.map(({ url }) => new URL(url).host);
  const forming = spawn('redis-cli', ['--cluster', 'create', ...places, '--cluster-yes'], {
    stdio: 'ignore',
  });
  const [code] = await once(forming, 'exit');
  if (code !== 0) throw new Error('redis-cli has formed no cluster');
  return {
    url: `redis-cluster://${places[0]}`,
    close: async () => {
      for (const server of servers) await server.stop();
    },
  };
}

/** Makes a client of a server or of a cluster, by what `openServer` and `openCluster` return. */
export function makeClient(url) {
  const client = url.startsWith('redis-cluster:')
    ? createCluster({ rootNodes: [{ url: url.replace('redis-cluster:', 'redis:') }] })
    : createClient({ url });
  return client.on('error', () => {});
}

async function startServer(appendfsync, more = []) {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-benchmark-'));
  const port = await freePort();
  const options = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'yes', appendfsync };
  const server = spawn(
    'redis-server',
    [...Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]), ...more.map(String)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  for await (const chunk of server.stdout) if (`${chunk}`.includes('eady to accept')) break;
  return {
    pid: server.pid,
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      const exit = once(server, 'exit');
      server.kill('SIGKILL');
      await exit;
      rmSync(folder, { recursive: true });
    },
  };
}
