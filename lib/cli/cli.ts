#!/usr/bin/env node
import { userInfo } from 'node:os';
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';
import { SystemClock } from '../util/clock.js';
import { main } from './main.js';

const { stdin, stdout, stderr, env } = process;
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
// `| head` closes the pipe before everything is written.
stdout.on('error', () => process.exit());

process.exitCode = await main(process.argv.slice(2), {
  stdout: (text) => stdout.write(text),
  stderr: (text) => stderr.write(text),
  isTerminal: stdout.isTTY,
  columns: stdout.isTTY ? stdout.columns : undefined,
  isErrorTerminal: stderr.isTTY,
  ask: stdin.isTTY && stderr.isTTY ? ask : undefined,
  readInput: stdin.isTTY ? undefined : async () => text(stdin),
  signal: ending.signal,
  env,
  clock: new SystemClock(),
  folder: process.cwd(),
  account: accountName(),
});
// A configuration may have opened connections that are the application's to close.
stdout.write('', () => process.exit());

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: stdin, output: stderr });
  try {
    return await terminal.question(question, { signal: ending.signal });
  } finally {
    terminal.close();
  }
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown'; // an account without a name, as in some containers
  }
}
