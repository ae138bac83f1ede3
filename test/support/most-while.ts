/** The most that a count showed while some work was under way. */
export async function mostWhile(work: Promise<unknown>, count: () => Promise<number>): Promise<number> {
  const state = { isDone: false };
  const done = work.finally(() => (state.isDone = true));
  let most = 0;
  while (!state.isDone) {
    most = Math.max(most, await count());
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  return most;
}
