import type { Clock } from './clock.js';
import { warnProcess } from './process-warning.js';

const INTERVAL_MS = 60_000;

/** A process warning that is emitted at most once a minute, because clients can cause it at any rate. */
export class OccasionalWarning {
  private warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly clock: Clock) {}

  warn(message: string, detail?: string): void {
    const now = this.clock.now();
    const elapsedMs = now - this.warnedAtMs;
    if (elapsedMs >= 0 && elapsedMs < INTERVAL_MS) return;
    this.warnedAtMs = now;
    warnProcess(message, {
      type: 'NestSessionsWarning',
      ...(detail === undefined ? {} : { detail }),
    });
  }
}
