import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../testing/test-clock.js';
import type { CliIo } from './io.js';
import { Progress } from './progress.js';

function shownOn(isErrorTerminal: boolean): string {
  const clock = new TestClock(0);
  let shown = '';
  const io = { isErrorTerminal, clock, stderr: (text: string) => (shown += text) } as unknown as CliIo;
  const progress = new Progress(io, 'sessions read');
  for (const done of [500, 750, 1000]) {
    progress.show(done, 2000);
    clock.advance(60);
  }
  progress.end();
  return shown;
}

describe('a progress bar', () => {
  it('is drawn on a terminal, ten times a second at most, and removed at the end', () => {
    const clear = '\r\u001b[K';
    expect(shownOn(true)).toBe(
      `${clear}[######..................] sessions read: 500 of 2,000` +
        `${clear}[############............] sessions read: 1,000 of 2,000${clear}`,
    );
  });

  it('is not drawn into a file', () => {
    expect(shownOn(false)).toBe('');
  });
});
