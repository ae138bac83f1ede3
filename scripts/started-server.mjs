// A server that a script starts as a process, sends requests to and stops.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { env } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../test/support/free-port.mjs';

/**
 * Starts a server that listens at the port in PORT, calls `work` with its origin as soon as it responds, and stops it. An error
 * of `work` gets what the server has printed. With `detached` all processes that the command starts are stopped.
 */
export async function withServer(command, args, { cwd, detached = false, startTimeoutMs = 60_000 }, work) {
  const port = await freePort();
  const child = spawn(command, args, {
    cwd,
    detached,
    env: { ...env, PORT: String(port), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const closed = once(child, 'close');
  const origin = `http://localhost:${port}`;
  try {
    await untilListening(child, origin, startTimeoutMs);
    await work(origin);
  } catch (error) {
    throw new Error(`${args.join(' ')}: ${error.message}\n${output}`, { cause: error });
  } finally {
    if (detached) killGroup(child);
    else child.kill();
    await closed;
  }
}

function killGroup({ pid }) {
  try {
    if (pid !== undefined) process.kill(-pid);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // they have ended by themselves
  }
}

async function untilListening(child, origin, timeoutMs) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`);
    try {
      await fetch(origin);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(100);
    }
  }
}

/** The cookies of a response, as the next request sends them. */
export function cookiesOf(response) {
  const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0]);
  return cookies.join('; ');
}
