import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisStore } from 'nest-sessions';
import { createClient } from 'redis';
import { filler } from './filler.mjs';
import { freePort, processCpuMs } from './postgres-store.mjs';

const TOGETHER = 1000;

/**
 * Redis with an append-only file, on disk within a second as most run it, or before it answers.
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

async function startServer(appendfsync) {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-benchmark-'));
  const port = await freePort();
  const options = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'yes', appendfsync };
  const server = spawn(
    'redis-server',
    Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]),
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
