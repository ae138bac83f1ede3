/**
 * Waits for something no longer than so. What is late goes on, unobserved.
 *
 * @param keepsProcess whether the process stays for it until then
 * @throws {Error} with that message, when it took longer
 */
export async function withTimeout<T>(
  work: Promise<T>,
  timeoutMs: number,
  message: string,
  { keepsProcess = true } = {},
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message)), timeoutMs);
    if (!keepsProcess) timer.unref();
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
