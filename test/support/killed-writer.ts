import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { compiledScript } from './compiled-script.js';

/** A database as another process finds it. */
export type WriterTarget =
  | { readonly engine: 'sqlite'; readonly file: string }
  | { readonly engine: 'postgres'; readonly url: string; readonly schema: string };

/** The last that a process said of a session: its refresh token hash, or `revoked`. */
export interface Acknowledged {
  readonly sessionHandle: string;
  readonly state: string;
}

/** Lets another process write until it has acknowledged some writes, and kills it at once. @returns what it acknowledged */
export async function acknowledgedByKilledWriter(
  target: WriterTarget,
  acknowledgements: number,
): Promise<Acknowledged[]> {
  const script = await compiledScript(new URL('writer-process.ts', import.meta.url));
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
