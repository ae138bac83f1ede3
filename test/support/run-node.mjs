import { spawn } from 'node:child_process';
import { execPath } from 'node:process';

/**
 * Runs a program with Node, which prints where this one prints.
 *
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} its exit code; 1: a signal ended it
 */
export function runNode(args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(execPath, args, { ...options, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}
