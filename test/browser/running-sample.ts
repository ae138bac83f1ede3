import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** How long an access token lives in the tests, in seconds: short enough to wait for its end. */
export const ACCESS_TOKEN_SECONDS = 3;

/** The built sample, running as a process of its own. */
export class RunningSample {
  private constructor(
    /** Address of its page. */
    readonly origin: string,
    private readonly process: ChildProcess,
  ) {}

  /** Builds what is not built yet, starts the sample on a free port and waits for the line with its address. */
  static async start(adapter: string): Promise<RunningSample> {
    if (!existsSync(`${ROOT}/dist/index.js`)) npmRun('build');
    npmRun('build:sample');
    const child = spawn(execPath, ['build/sample/01-quickstart/main.js'], {
      cwd: ROOT,
      env: {
        ...process.env,
        PORT: '0',
        ADAPTER: adapter,
        ACCESS_TOKEN_SECONDS: String(ACCESS_TOKEN_SECONDS),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const origin = /^nest-sessions sample: (\S+)$/.exec(line)?.[1];
      if (origin !== undefined) return new RunningSample(origin, child);
    }
    throw new Error('the sample ended before it listened');
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill();
    await ended;
  }
}

function npmRun(script: string): void {
  const { status, stderr, stdout } = spawnSync('npm', ['run', '--silent', script], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`npm run ${script} failed:\n${stdout}${stderr}`);
}
