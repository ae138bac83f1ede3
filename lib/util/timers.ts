/** Lets the process end although this timer still runs. Some runtimes have no such process, and number their timers. */
export function releaseTimer<T>(timer: T): T {
  if (typeof timer === 'object' && timer !== null) (timer as { unref?: () => void }).unref?.();
  return timer;
}
