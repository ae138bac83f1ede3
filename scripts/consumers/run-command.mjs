import { execFileSync } from 'node:child_process';
import { env } from 'node:process';

/** Only against hanging for ever, because installing and compiling are slow on a busy machine. */
const TIMEOUT_MS = 600_000;

/** For Jest and for Vitest, whose own limit of five seconds is too short for the first test on a busy machine. */
export const PATIENT = '--testTimeout=120000';

/** Runs a command in a folder and returns what it prints. A failure is an error with all of that. */
export function runCommand(folder, command, ...args) {
  try {
    return execFileSync(command, args, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      env: { ...env, CI: '', NO_COLOR: '1' },
    });
  } catch (error) {
    throw new Error(`${args.join(' ')}: ${error.message}\n${error.stdout}${error.stderr}`, { cause: error });
  }
}
