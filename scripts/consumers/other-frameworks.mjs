// Runs the examples of sample/08-other-frameworks that have packages of their own: LoopBack, Next.js, and the verifying door on Bun,
// Deno and workerd. Arguments go to jest: `-t bun` runs one.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { argv, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';

const INSTALL_TIMEOUT_MS = 600_000;

const cwd = fileURLToPath(new URL('../..', import.meta.url));
const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
const only = '--testMatch=**/test/other-frameworks/*.installed-spec.ts';

try {
  execFileSync(execPath, [...jest, only, `--testTimeout=${INSTALL_TIMEOUT_MS}`, ...argv.slice(2)], {
    cwd,
    stdio: 'inherit',
  });
} finally {
  // Several hundred megabytes, which Jest would look through at each of its starts.
  rmSync(`${cwd}/build/other-frameworks`, { recursive: true, force: true });
}
