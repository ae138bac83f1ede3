import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The built sample, running as a process of its own. */
export class RunningSample {
  private constructor(
    /** Address of its page. */
    readonly origin: string,
    private readonly process: ChildProcess,
  ) {}

  /**
   * Starts a sample on a free port and waits for the line with its address. `npm run test:browser` has built it.
   *
   * @param name its folder
   */
  static async start(name: string, settings: Readonly<Record<string, string>> = {}): Promise<RunningSample> {
    const child = spawn(execPath, [`build/sample/${name}/main.js`], {
      cwd: ROOT,
      env: { ...process.env, PORT: '0', ...settings },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const origin = /^nest-sessions .*: (http\S+)$/.exec(line)?.[1];
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
