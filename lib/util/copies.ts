import { warnProcess } from './process-warning.js';

const COPIES = Symbol.for('nest-sessions:copies');

/** The form of what copies share: request state, recorded rules, errors. It changes when another copy could misread it. */
const FORMAT = 1;

/** One entry for each copy of the package in this process: the form of what it shares. */
const formats = ((globalThis as { [COPIES]?: number[] })[COPIES] ??= []);

formats.push(FORMAT);
if (formats.length === 2) {
  warnProcess(
    'nest-sessions is loaded twice in this process. Decorators, errors and the sessions of requests work across copies; ' +
      'providers such as SessionService belong to the copy whose SessionModule is imported, and Nest finds no others. ' +
      'Install one copy (npm ls nest-sessions, npm dedupe).',
    { code: 'NEST_SESSIONS_TWO_COPIES' },
  );
}

/** @throws {Error} another version of the package is loaded that shares its state in another form */
export function assertCompatibleCopies(): void {
  const other = formats.find((format) => format !== FORMAT);
  if (other === undefined) return;
  throw new Error(
    `SessionModule cannot start: two versions of nest-sessions are loaded that do not understand each other (formats ${FORMAT} ` +
      `and ${other}), so that the guard of one would not see the rules of the other. Install one version (npm ls nest-sessions).`,
  );
}

/** Does the same as `instanceof` by default: it looks for the class among the prototypes of the object. */
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

/** As {@link recogniseCopies} for several classes by their names; a class comes before those that extend it. */
export function recogniseAllCopies(kinds: Readonly<Record<string, { readonly prototype: object }>>): void {
  for (const [name, kind] of Object.entries(kinds)) recogniseCopies(kind, name);
}
