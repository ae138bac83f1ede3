import { isExactOrigin } from '../util/hosts.js';
import type { Check } from './option-table.js';

/** A function type in method notation, whose parameters users may declare narrower, as in an interface with methods. */
export type Method<F extends (...args: never[]) => unknown> = {
  call(...args: Parameters<F>): ReturnType<F>;
}['call'];

/** Accepts text and hands it to `parse`. */
export function text<Read>(parse: (text: string) => Read): Check<string, Read> {
  return (value) => {
    if (typeof value !== 'string') throw new Error('text is expected');
    return parse(value);
  };
}

/** Accepts text of at most so many characters. */
export function shortText(maxLength: number): Check<string> {
  return text((given) => {
    if (given.length > maxLength) throw new Error(`at most ${maxLength} characters are expected`);
    return given;
  });
}

/** Accepts a valid `Date`. */
export const date: Check<Date> = (value) => {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw new Error('a Date is expected');
  return value;
};

/** Accepts `true` and `false`. */
export const trueOrFalse: Check<boolean> = (value) => {
  if (typeof value !== 'boolean') throw new Error('true or false is expected');
  return value;
};

/** Accepts one of the given texts. */
export function oneOf<const Text extends string>(...accepted: readonly Text[]): Check<Text> {
  return (value) => {
    const found = accepted.find((candidate) => candidate === value);
    if (found === undefined) throw new Error(`accepted are ${accepted.join(', ')}`);
    return found;
  };
}

/** Accepts whole numbers from `min` to `max`. */
export function wholeNumber(min: number, max: number): Check<number> {
  return (value) => {
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw new Error(`a whole number from ${min} to ${max} is expected`);
    }
    return value as number;
  };
}

/** Accepts numbers from `min` to `max`. */
export function numberBetween(min: number, max: number): Check<number> {
  return (value) => {
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw new Error(`a number from ${min} to ${max} is expected`);
    }
    return value;
  };
}

/** Accepts a function; the result is bound to the options, so that an instance of a class can serve as options. */
export function callback<F extends (...args: never[]) => unknown>(): Check<Method<F>, F> {
  return (value, { source }) => {
    if (typeof value !== 'function') throw new Error('a function is expected');
    return (value as F).bind(source) as F;
  };
}

/** Accepts an array that is not empty and whose elements all pass `isElement`; the result is a frozen copy. */
export function listOf<Element>(
  isElement: (element: unknown) => boolean,
  expected: string,
): Check<readonly Element[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length === 0 || !value.every(isElement)) throw new Error(expected);
    return Object.freeze([...(value as Element[])]);
  };
}

/** Accepts an object that has all these methods, of its own or of its class. */
export function objectWith<T extends object>(
  methods: readonly (keyof T & string)[],
  expected: string,
): Check<T> {
  return (value) => {
    if (!methods.every((method) => hasMethod(value, method))) throw new Error(`${expected} is expected`);
    return value as T;
  };
}

/** The same check for a secret: messages do not show the value. */
export function secret<Given, Read>(check: Check<Given, Read>): Check<Given, Read> {
  const hidden: Check<Given, Read> = (value, place) => check(value, place);
  return Object.assign(hidden, { hasOwnMessage: true });
}

/** True for an object that has a method of that name, of its own or of its class. */
export function hasMethod(value: unknown, method: string): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, method) === 'function';
}

/** Accepts a time of at least a second. */
export const seconds: Check<number> = (value) => {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 1) {
    throw new Error('seconds are expected, at least 1');
  }
  return value;
};

/** Accepts the origins of `allowedOrigins`. */
export const origins: Check<readonly string[]> = listOf<string>(
  (origin) => typeof origin === 'string' && isExactOrigin(origin),
  'a list of exact origins is expected, as browsers send them: ["https://shop.example.com"]',
);

/** Accepts the issuers of `accessTokenIssuers`. */
export const issuers: Check<readonly string[]> = (value, place) => {
  if (Array.isArray(value) && value.length === 0) {
    throw new Error('the list is empty, which would refuse every token; left out, all are accepted');
  }
  return listOf<string>(
    (issuer) => typeof issuer === 'string' && issuer !== '',
    'a list of issuers is expected, exactly as tokens name them: ["https://api.example.com/auth"]; left out, all are accepted',
  )(value, place);
};

/** Accepts the audience of `accessTokenAudience`. */
export const audience: Check<string> = (value) => {
  if (typeof value !== 'string' || value === '') {
    throw new Error('one audience is expected, exactly as tokens name it; left out, all are accepted');
  }
  return value;
};
