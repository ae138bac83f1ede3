/** A method by the object that declares it, a prototype or for static ones a class, and its name. */
export interface Method {
  readonly target: object;
  readonly name: string | symbol;
}

interface Registry {
  /** Every method that a session decorator stands on; weak, because mixins make classes again and again. */
  readonly methods: { readonly target: WeakRef<object>; readonly name: string | symbol }[];
  /** Functions that instances have in place of a method, such as a bound one. */
  readonly replacements: WeakMap<object, Method>;
}

const REGISTRY = Symbol.for('nest-sessions:decorated-methods');

/** Returns the registry that all copies of the package in this process share. */
function registry(): Registry {
  const shared = globalThis as { [REGISTRY]?: Registry };
  return (shared[REGISTRY] ??= { methods: [], replacements: new WeakMap() });
}

/** Keeps that a session decorator stands on a method. */
export function registerMethod({ target, name }: Method): void {
  const { methods } = registry();
  if (methods.some((each) => each.name === name && each.target.deref() === target)) return;
  methods.push({ target: new WeakRef(target), name });
}

/** Keeps which methods of its class the functions of an instance replace, so that a guard can find their rules. */
export function registerReplacements(instance: object): void {
  const prototype = Object.getPrototypeOf(instance) as object | null;
  if (prototype === null) return;
  for (const name of Reflect.ownKeys(instance)) {
    const own: unknown = Object.getOwnPropertyDescriptor(instance, name)?.value;
    if (typeof own === 'function' && name in prototype)
      registry().replacements.set(own, { target: prototype, name });
  }
}

/**
 * Finds the methods that a handler is: of its class, of a class that it was copied from, or replaced on an instance.
 *
 * @returns undefined if the handler is no method of the class as far as can be seen, and methods of the class carry session
 *   decorators, of which one could be meant
 */
export function findMethods(controller: object, handler: object): readonly Method[] | undefined {
  const { prototype = controller } = controller as { prototype?: object };
  const chain = [...prototypeChain(prototype), controller];
  const { methods, replacements } = registry();
  const decorated = methods.flatMap(({ target, name }) => ({ target: target.deref() ?? {}, name }));
  const copied = decorated.filter(
    ({ target, name }) => !chain.includes(target) && ownValue(target, name) === handler,
  );
  const replaced = replacements.get(handler);
  const own = chain.flatMap((target) =>
    methodNames(target)
      .filter((name) => ownValue(target, name) === handler)
      // A class below may add rules to a method that it inherits, so the look-up begins at the class itself.
      .map((name) => ({ target: inheritedValue(prototype, name) === handler ? prototype : target, name })),
  );
  const found = [...copied, ...(replaced === undefined ? [] : [replaced]), ...own];
  if (found.length > 0) return found;
  const name = (handler as { name?: string }).name?.replace(/^(bound )+/, '') ?? '';
  if (name !== '' && inheritedValue(prototype, name) !== undefined) return [{ target: prototype, name }];
  return decorated.some(({ target }) => chain.includes(target)) ? undefined : [];
}

/** Returns the names of the methods that an object itself has, symbols included. */
export function methodNames(target: object): (string | symbol)[] {
  return Reflect.ownKeys(target).filter(
    (name) => name !== 'constructor' && typeof ownValue(target, name) === 'function',
  );
}

/** Returns the value of a property that an object itself has; accessors are not run. */
export function ownValue(target: object, name: string | symbol): unknown {
  return Object.getOwnPropertyDescriptor(target, name)?.value;
}

function inheritedValue(target: object, name: string | symbol): unknown {
  const holder = prototypeChain(target).find((each) => Object.hasOwn(each, name));
  return holder === undefined ? undefined : ownValue(holder, name);
}

/** Returns an object and its prototypes, without `Object.prototype`. */
export function prototypeChain(from: object): object[] {
  const chain: object[] = [];
  for (
    let each: object | null = from;
    each !== null && each !== Object.prototype;
    each = Object.getPrototypeOf(each) as object | null
  )
    chain.push(each);
  return chain;
}
