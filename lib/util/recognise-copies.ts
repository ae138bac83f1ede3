/** What `instanceof` does by default: it looks for the class among the prototypes of the object. */
const isInstance = Function.prototype[Symbol.hasInstance];

const marksByClass = new WeakMap<object, symbol>();

/**
 * Makes `instanceof` recognise what another installed copy of this package made of a class. It is called in a static block of
 * the class; classes of applications that extend it keep the ordinary `instanceof`.
 */
export function recogniseCopies(kind: { readonly prototype: object }, name: string): void {
  const mark = Symbol.for(`nest-sessions.${name}`);
  marksByClass.set(kind, mark);
  for (let each: object | null = kind; each !== null; each = Object.getPrototypeOf(each) as object | null) {
    const inherited = marksByClass.get(each);
    if (inherited !== undefined) Object.defineProperty(kind.prototype, inherited, { value: true });
  }
  Object.defineProperty(kind, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (this !== kind) return isInstance.call(this as () => void, value);
      return typeof value === 'object' && value !== null && mark in value;
    },
  });
}
