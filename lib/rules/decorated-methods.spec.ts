import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { MethodIndex, registerMethod, registerReplacements } from './decorated-methods.js';

afterEach(() => {
  jest.restoreAllMocks();
});

/** Returns a class with methods `m0`, `m1` and so on, of which the first carries a session decorator. */
function classWith(methods: number): { readonly prototype: Record<string, Function> } {
  const made = { prototype: {} as Record<string, Function> };
  for (let n = 0; n < methods; n++) made.prototype[`m${n}`] = () => n;
  registerMethod({ target: made.prototype, name: 'm0' });
  return made;
}

async function collectGarbage(): Promise<void> {
  await nextTurn(); // until then the engine keeps what a weak reference was made of
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

describe('MethodIndex', () => {
  it('finds the methods of a class with a number of reads that grows with the methods and not with their square', () => {
    const readsFor = (methods: number): number => {
      const controller = classWith(methods);
      const handlers = Object.values(controller.prototype);
      const reads = jest.spyOn(Object, 'getOwnPropertyDescriptor');
      const index = new MethodIndex();
      const found = handlers.flatMap((handler) => index.find(controller, handler) ?? []);
      const { length } = reads.mock.calls;
      reads.mockRestore();
      expect(found.map(({ name }) => name)).toEqual(handlers.map((_, n) => `m${n}`));
      return length;
    };
    expect(readsFor(400) / readsFor(40)).toBeLessThan(15);
  });

  it('finds the rules of a copied method, also when the class that it comes from is garbage', async () => {
    const copying = { prototype: { ...classWith(1).prototype } };
    await collectGarbage();
    const [handler] = Object.values(copying.prototype);
    const found = new MethodIndex().find(copying, handler as object) ?? [];
    expect(found.map(({ target, name }) => [target === copying.prototype, name])).toEqual([[false, 'm0']]);
  });
});

describe('registerReplacements', () => {
  it.each<[string, object]>([
    ['an array', []],
    ['a buffer', Buffer.alloc(4)],
  ])('does not list the elements of %s', (_what, data) => {
    const listed = jest.spyOn(Reflect, 'ownKeys');
    registerReplacements(data);
    expect(listed).not.toHaveBeenCalled();
  });
});
