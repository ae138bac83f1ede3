import { expect, it } from '@jest/globals';
import { MemoryValues, type SharedValue } from '../audit/shared-values.js';
import { ChildIndex } from './child-index.js';

const NOW = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const clock = { now: () => NOW };

/** Shared values that respond later, as those of a database do. */
class DistantValues extends MemoryValues {
  readonly written: string[] = [];

  override async read(name: string, nowMs: number): Promise<string | undefined> {
    await new Promise(setImmediate);
    return super.read(name, nowMs);
  }

  override async replace(name: string, from: string | undefined, to: SharedValue, nowMs: number) {
    await new Promise(setImmediate);
    this.written.push(name);
    return super.replace(name, from, to, nowMs);
  }
}

it('knows all children that are made of one parent at once, by two processes', async () => {
  const sharedValues = new DistantValues();
  const [here, there] = [new ChildIndex({ sharedValues }, clock), new ChildIndex({ sharedValues }, clock)];
  const children = Array.from({ length: 240 }, (_, n) => `child-${n}`);
  await Promise.all(
    children.map(async (child, n) => (n % 2 ? here : there).add('parent', child, NOW + HOUR_MS + n)),
  );
  expect((await here.find(['parent'])).toSorted()).toEqual(children.toSorted());
});

it('writes that there are children once an hour, however many live a little longer than those before', async () => {
  const sharedValues = new DistantValues();
  const index = new ChildIndex({ sharedValues }, clock);
  for (let minutes = 1; minutes <= 65; minutes++)
    await index.add('parent', `child-${minutes}`, NOW + minutes * 60_000);
  expect(sharedValues.written.filter((name) => name === 'children')).toHaveLength(2);
});
