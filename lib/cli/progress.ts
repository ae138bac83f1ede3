import type { CliIo } from './io.js';
import { countText } from './output.js';

const WIDTH = 24;
const PAUSE_MS = 100;
const CLEAR_LINE = '\r\u001b[K';

/** Runs work that shows how far it has come, and removes the line of it at the end. */
export async function withProgress<T>(
  io: CliIo,
  what: string,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = new Progress(io, what);
  try {
    return await work(progress);
  } finally {
    progress.end();
  }
}

/** Shows how far long work has come: on a terminal only, and never among the output. */
export class Progress {
  private lastMs = Number.NEGATIVE_INFINITY;
  private isShown = false;

  constructor(
    private readonly io: CliIo,
    private readonly what: string,
  ) {}

  /** @param total undefined: not known */
  show(done: number, total?: number): void {
    const now = this.io.clock.now();
    if (!this.io.isErrorTerminal || now - this.lastMs < PAUSE_MS) return;
    this.lastMs = now;
    this.isShown = true;
    const share = total === undefined || total === 0 ? undefined : Math.min(1, done / total);
    const filled = Math.round((share ?? 0) * WIDTH);
    const bar = share === undefined ? '' : `[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] `;
    const of = total === undefined ? '' : ` of ${countText(total)}`;
    this.io.stderr(`${CLEAR_LINE}${bar}${this.what}: ${countText(done)}${of}`);
  }

  /** Removes the line, so that the output begins on an empty one. */
  end(): void {
    if (this.isShown) this.io.stderr(CLEAR_LINE);
    this.isShown = false;
  }
}
