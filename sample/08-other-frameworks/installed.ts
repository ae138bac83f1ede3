import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { createInterface } from 'node:readline';
import type { Running, Settings } from './settings.js';

/** An example with packages of its own, which runs in a process of its own. */
interface InstalledExample {
  /** The folder of its package.json. */
  readonly folder: string;
  /** The command that builds it, if one does. */
  readonly build?: readonly string[];
  /** The command that starts it. */
  readonly start: (port: number) => readonly string[];
  /** Its line of output that has the address or the port. */
  readonly address: RegExp;
  /** Its line of output after which it serves, where that is a later one. */
  readonly ready?: RegExp;
}

const ADDRESS = /http:\/\/127\.0\.0\.1:(\d+)/;
const NEXT = [execPath, 'node_modules/next/dist/bin/next'];
const WORKERD = 'node_modules/@cloudflare/workerd-linux-64/bin/workerd';
// No `node` platform: the bundle may use nothing but what workers have.
const BUNDLE = [
  'esbuild',
  'worker.ts',
  '--bundle',
  '--format=esm',
  '--platform=browser',
  '--outfile=build/worker.js',
];

/** The examples with packages of their own, by name. */
export const INSTALLED: Readonly<Record<string, InstalledExample>> = {
  loopback: {
    folder: 'loopback',
    build: [execPath, 'node_modules/typescript/bin/tsc', '-p', '.'],
    start: () => [execPath, 'build/loopback/main.js'],
    address: ADDRESS,
  },
  nextjs: {
    folder: 'nextjs',
    build: [...NEXT, 'build'],
    start: (port) => [...NEXT, 'start', '-H', '127.0.0.1', '-p', String(port)],
    address: ADDRESS,
    ready: /Ready in/,
  },
  bun: {
    folder: 'runtimes',
    start: () => ['node_modules/@oven/bun-linux-x64/bin/bun', 'bun.ts'],
    address: ADDRESS,
  },
  deno: {
    folder: 'runtimes',
    start: () => ['node_modules/@deno/linux-x64-glibc/deno', 'run', '--allow-net', '--allow-env', 'deno.ts'],
    address: ADDRESS,
  },
  workerd: {
    folder: 'runtimes',
    build: ['npx', ...BUNDLE],
    start: (port) => [
      WORKERD,
      'serve',
      'workerd.capnp',
      '--control-fd=1',
      `--socket-addr=http=127.0.0.1:${port}`,
    ],
    address: /"listen".*"port":(\d+)/,
  },
};

const SOURCE = 'sample/08-other-frameworks';
const TARGET = 'build/other-frameworks';
/** Folders whose packages are there. */
const prepared = new Set<string>();

/** Installs and builds an example in a copy below `build/`. The built package has to be in `dist/`. */
export function prepare(name: string): void {
  const { folder, build } = exampleOf(name);
  if (!existsSync('dist/index.js')) throw new Error('dist/index.js is missing: run npm run build first');
  const cwd = join(TARGET, folder);
  if (!prepared.has(folder)) {
    cpSync(SOURCE, TARGET, { recursive: true, filter: (path) => !path.includes('node_modules') });
    run(['npm', 'ci', '--loglevel=error'], cwd);
    prepared.add(folder);
  }
  if (build !== undefined) run(build, cwd);
}

/** Starts a prepared example and waits until it serves. */
export async function startInstalled(name: string, { port, apiDomain }: Settings): Promise<Running> {
  const { folder, start, address, ready } = exampleOf(name);
  const [command = '', ...args] = start(port);
  const child = spawn(command, args, {
    cwd: join(TARGET, folder),
    env: { ...env, PORT: String(port), API_DOMAIN: apiDomain, NO_COLOR: '1', NEXT_TELEMETRY_DISABLED: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let found: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    found ??= address.exec(line)?.[1];
    if (found !== undefined && (ready === undefined || ready.test(line))) {
      child.stdout.resume();
      return {
        origin: `http://127.0.0.1:${found}`,
        close: async () => {
          child.kill();
          await exited;
        },
      };
    }
  }
  throw new Error(`${name} ended before it listened`);
}

function exampleOf(name: string): InstalledExample {
  const example = INSTALLED[name];
  if (example === undefined) throw new Error(`There is no example ${name}`);
  return example;
}

function run([command = '', ...args]: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: 'inherit', env: { ...env, NEXT_TELEMETRY_DISABLED: '1' } });
}
