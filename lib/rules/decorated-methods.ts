/** A method by the object that declares it, a prototype or for static ones a class, and its name. */
export interface Method {
  readonly target: object;
  readonly name: string | symbol;
}

interface Registry {
  /** Every method that a session decorator stands on; weak, because mixins make classes again and again. */
  readonly methods: { readonly target: WeakRef<object>; readonly name: string | symbol }[];
  /** The names in `methods` by target, because each decorator asks whether its method is there. */
  readonly names: WeakMap<object, Set<string | symbol>>;
  /** The declaring objects by method, so that they live as long as it does: a mixin may have copied it to another class. */
  readonly declaring: WeakMap<object, Set<object>>;
  /** Functions that instances have in place of a method, such as a bound one. */
  readonly replacements: WeakMap<object, Method>;
}

const REGISTRY = Symbol.for('nest-sessions:decorated-methods');

/** Returns the registry that all copies of the package in this process share. */
function registry(): Registry {
  const shared = globalThis as { [REGISTRY]?: Registry };
  return (shared[REGISTRY] ??= {
    methods: [],
    names: new WeakMap(),
    declaring: new WeakMap(),
    replacements: new WeakMap(),
  });
}

/** Keeps that a session decorator stands on a method. */
export function registerMethod({ target, name }: Method): void {
  const { methods, names, declaring } = registry();
  const known = names.get(target) ?? new Set();
  if (known.has(name)) return;
  names.set(target, known.add(name));
  methods.push({ target: new WeakRef(target), name });
  const method = ownValue(target, name);
  if (typeof method === 'function') declaring.set(method, (declaring.get(method) ?? new Set()).add(target));
}

/** Keeps which methods of its class the functions of an instance replace, so that a guard can find their rules. */
export function registerReplacements(instance: object): void {
  const prototype = Object.getPrototypeOf(instance) as object | null;
  // Data have no methods of their own, and may have millions of elements.
  if (prototype === null || Array.isArray(instance) || ArrayBuffer.isView(instance)) return;
  for (const name of Reflect.ownKeys(instance)) {
    const own: unknown = Object.getOwnPropertyDescriptor(instance, name)?.value;
    if (typeof own === 'function' && name in prototype)
      registry().replacements.set(own, { target: prototype, name });
  }
}

/** The methods of one class, its parents' included. */
interface ClassMethods {
  readonly prototype: object;
  /** The objects that declare them. */
  readonly targets: ReadonlySet<object>;
  readonly byFunction: ReadonlyMap<unknown, readonly Method[]>;
  /** Whether session decorators stand on any of them. */
  readonly isDecorated: boolean;
}

/** Methods by the function that each is, for a look at many handlers. It does not see classes that change afterwards. */
export class MethodIndex {
  private readonly decorated: ReadonlyMap<unknown, readonly Method[]>;
  private readonly decoratedTargets: ReadonlySet<object>;
  private readonly classes = new Map<object, ClassMethods>();

  constructor() {
    const methods = registry().methods.flatMap(({ target: reference, name }) => {
      const target = reference.deref();
      return target === undefined ? [] : [{ target, name }];
    });
    this.decorated = byFunction(methods);
    this.decoratedTargets = new Set(methods.map(({ target }) => target));
  }

  /**
   * Finds the methods that a handler is, and that may have rules: of its class, of a class that it was copied from, or
   * replaced on an instance.
   *
   * @returns undefined if the handler is no method of the class as far as can be seen, and methods of the class carry session
   *   decorators, of which one could be meant
   */
  find(controller: object, handler: object): readonly Method[] | undefined {
    const { prototype, targets, byFunction: own, isDecorated } = this.methodsOfClass(controller);
    const copied = (this.decorated.get(handler) ?? []).filter(({ target }) => !targets.has(target));
    const replaced = registry().replacements.get(handler);
    if (!isDecorated && copied.length === 0 && replaced === undefined) return [];
    const found = [
      ...copied,
      ...(replaced === undefined ? [] : [replaced]),
      // A class below may add rules to a method that it inherits, so the look-up begins at the class itself.
      ...(own.get(handler) ?? []).map(({ target, name }) => ({
        target: inheritedValue(prototype, name) === handler ? prototype : target,
        name,
      })),
    ];
    if (found.length > 0) return found;
    const name = (handler as { name?: string }).name?.replace(/^(bound )+/, '') ?? '';
    if (name !== '' && inheritedValue(prototype, name) !== undefined) return [{ target: prototype, name }];
    return isDecorated ? undefined : [];
  }

  private methodsOfClass(controller: object): ClassMethods {
    const known = this.classes.get(controller);
    if (known !== undefined) return known;
    const { prototype = controller } = controller as { prototype?: object };
    const targets = new Set([...prototypeChain(prototype), controller]);
    const isDecorated = [...targets].some((target) => this.decoratedTargets.has(target));
    const methods = isDecorated
      ? [...targets].flatMap((target) => methodNames(target).map((name) => ({ target, name })))
      : [];
    const made = { prototype, targets, byFunction: byFunction(methods), isDecorated };
    this.classes.set(controller, made);
    return made;
  }
}

function byFunction(methods: readonly Method[]): Map<unknown, Method[]> {
  const found = new Map<unknown, Method[]>();
  for (const method of methods) {
    const value = ownValue(method.target, method.name);
    const others = found.get(value);
    if (others === undefined) found.set(value, [method]);
    else others.push(method);
  }
  return found;
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
