import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** A database as another process finds it. */
export type WriterTarget =
  | { readonly engine: 'sqlite'; readonly file: string }
  | { readonly engine: 'postgres'; readonly url: string; readonly schema: string };

/** The last that a process said of a session: its refresh token hash, or `revoked`. */
export interface Acknowledged {
  readonly sessionHandle: string;
  readonly state: string;
}

const HERE = dirname(fileURLToPath(import.meta.url));

/** Lets another process write until it has acknowledged some writes, and kills it at once. @returns what it acknowledged */
export async function acknowledgedByKilledWriter(
  target: WriterTarget,
  acknowledgements: number,
): Promise<Acknowledged[]> {
  const script = await compiledWriter();
  const child = spawn(process.execPath, [script, JSON.stringify(target)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const states = new Map<string, string>();
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [sessionHandle, state] = line.split(' ');
    if (sessionHandle && state) states.set(sessionHandle, state);
    if (++lines === acknowledgements) child.kill('SIGKILL');
  }
  rmSync(script);
  if (lines < acknowledgements) throw new Error(`The writer ended after ${lines} acknowledgements`);
  return Array.from(states, ([sessionHandle, state]) => ({ sessionHandle, state }));
}

/** Plain JavaScript within reach of `node_modules`, where the child finds the drivers. */
async function compiledWriter(): Promise<string> {
  const folder = join(HERE, '../../node_modules/.cache/nest-sessions');
  const outfile = join(folder, `writer-${process.pid}.mjs`);
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints: [join(HERE, 'writer-process.ts')],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  });
  return outfile;
}
