import { releaseTimer } from './timers.js';

/**
 * Rejects if the work takes longer than `timeoutMs`; the work itself is not cancelled.
 *
 * @param keepsProcess false if the timer must not keep the process alive
 * @throws {Error} with this message, if the work takes longer
 */
export async function withTimeout<T>(
  work: Promise<T>,
  timeoutMs: number,
  message: string,
  { keepsProcess = true } = {},
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message)), timeoutMs);
    if (!keepsProcess) releaseTimer(timer);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
