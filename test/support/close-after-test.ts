import { afterAll, afterEach, beforeEach } from '@jest/globals';
import { inEachFile } from './hooks-of-file.js';

type Close = () => Promise<void>;

const openInTest: Close[] = [];
const openInFile: Close[] = [];
let isInTest = false;

inEachFile(() => {
  beforeEach(() => {
    isInTest = true;
  });
  afterEach(async () => {
    isInTest = false;
    await closeAll(openInTest);
  });
  afterAll(() => closeAll(openInFile));
});

/**
 * Calls `close` at the end of the running test; at the end of the file when no test runs, as in `beforeAll`. The last that was
 * passed closes first. This happens before the `afterEach` at the top of a spec, because this file is imported earlier: pass what
 * holds connections to an application here too, after the application.
 */
export function closeAfterTest(close: Close): void {
  (isInTest ? openInTest : openInFile).push(close);
}

/** Closes the last first. */
async function closeAll(open: Close[]): Promise<void> {
  for (const close of open.splice(0).toReversed()) await close();
}
