import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Runs scripts and tests where something is missing. */
export class RunWithout {
  private readonly cacheDirectory = mkdtempSync(join(tmpdir(), 'nest-sessions-jest-'));

  /** @param environment variables that take the thing away */
  constructor(private readonly environment: Record<string, string>) {}

  script(args: readonly string[], more: Record<string, string> = {}) {
    const { PG_URL: _, PG_REQUIRED: __, REDIS_URL: ___, REDIS_REQUIRED: ____, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...env, ...this.environment, ...more },
    });
    return { status, output: stdout + stderr };
  }

  jest(files: readonly string[], more: Record<string, string> = {}) {
    const flags = [
      '--experimental-vm-modules',
      '--no-warnings',
      'node_modules/jest/bin/jest.js',
      '--runInBand',
    ];
    return this.script([...flags, `--cacheDirectory=${this.cacheDirectory}`, ...files], more);
  }

  end(): void {
    rmSync(this.cacheDirectory, { recursive: true });
  }
}
