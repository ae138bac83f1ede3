import type { ConfigProblem } from '../errors.js';
import { findUnknownOptions } from './unknown-options.js';

/** Turns a raw value into what the code works with. Throws an Error that says what is accepted. */
export type ParseOption<T> = (value: unknown) => T;

/** Reads one object of options and collects what is wrong with it instead of stopping at the first problem. */
export class OptionReader {
  constructor(
    private readonly source: Readonly<Record<string, unknown>>,
    private readonly problems: ConfigProblem[],
    private readonly prefix = '',
  ) {}

  /** The parsed option; undefined when it is absent or wrong. */
  optional<T>(name: string, parse: ParseOption<T>): T | undefined {
    const value = this.source[name];
    if (value === undefined) return undefined;
    try {
      return parse(value);
    } catch (error) {
      this.report(
        name,
        `${show(value)} does not work: ${error instanceof Error ? error.message : String(error)}`,
      );
      return undefined;
    }
  }

  /** As {@link optional}; absence is a problem. */
  required<T>(name: string, parse: ParseOption<T>, remedy: string): T | undefined {
    if (this.source[name] === undefined) this.report(name, `is missing: ${remedy}`);
    return this.optional(name, parse);
  }

  /** The function of that name, bound to the options so that an instance of a class can serve as options. */
  function<F extends (...args: never[]) => unknown>(name: string): F | undefined {
    return this.optional(name, (value) => {
      if (typeof value !== 'function') throw new Error('a function is expected');
      return (value as F).bind(this.source) as F;
    });
  }

  /** Reports every name that is not among the known ones. */
  rejectUnknown(knownNames: readonly string[]): void {
    this.problems.push(...findUnknownOptions(this.source, knownNames, this.prefix));
  }

  /** Adds a problem of this object's option. */
  report(name: string, message: string): void {
    this.problems.push({ path: `${this.prefix}${name}`, message });
  }
}

/** Accepts text and hands it to `parse`. */
export function textOption<T>(parse: (text: string) => T): ParseOption<T> {
  return (value) => {
    if (typeof value !== 'string') throw new Error('text is expected');
    return parse(value);
  };
}

/** Accepts `true` and `false`. */
export function booleanOption(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Error('true or false is expected');
  return value;
}

/** Accepts one of the given texts. */
export function oneOfOption<T extends string>(accepted: readonly T[]): ParseOption<T> {
  return textOption((text) => {
    const found = accepted.find((candidate) => candidate === text);
    if (found === undefined) throw new Error(`accepted are ${accepted.join(', ')}`);
    return found;
  });
}

/** Accepts whole numbers from `min` to `max`. */
export function integerOption(min: number, max: number): ParseOption<number> {
  return (value) => {
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw new Error(`a whole number from ${min} to ${max} is expected`);
    }
    return value as number;
  };
}

/** Accepts numbers from `min` to `max`. */
export function numberOption(min: number, max: number): ParseOption<number> {
  return (value) => {
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw new Error(`a number from ${min} to ${max} is expected`);
    }
    return value;
  };
}

/** True for an object that has a method of that name, of its own or of its class. */
export function hasMethod(value: unknown, method: string): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, method) === 'function';
}

/** True for what options can be read from: an object literal or an instance of a class. */
export function isOptionsObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A short picture of a wrong value for a message. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
