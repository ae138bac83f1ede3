import type { Random } from './random.js';

/** No input becomes longer by mutation. */
const MAX_LENGTH = 4096;

const CHARACTERS = [
  ...Array.from('aZ09 .,;:=%"\'\\/[]{}()<>|&?#@!$*+-_~^`'),
  '\0',
  '\t',
  '\r',
  '\n',
  '\u007f',
  '\u0085',
  'é',
  '\u2028',
  '\ufeff',
  '😀',
  '\ud800',
  '\udc00',
];
const NUMBERS = [
  '0',
  '-0',
  '-1',
  '1e999',
  '0.1',
  '9007199254740993',
  '-9007199254740993',
  '4294967296',
  '00',
  '1e-7',
];
const JSON_VALUES = [
  'null',
  'true',
  '""',
  '[]',
  '{}',
  '[[]]',
  '0',
  '1e999',
  '"__proto__"',
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"toString":1}',
];

type Mutation = (
  input: string,
  random: Random,
  words: readonly string[],
  others: readonly string[],
) => string;

const MUTATIONS: readonly Mutation[] = [
  (input, random) => splice(input, random.below(input.length + 1), 0, random.pick(CHARACTERS)),
  (input, random) => splice(input, random.below(input.length + 1), 1, random.pick(CHARACTERS)),
  (input, random) =>
    splice(
      input,
      random.below(input.length + 1),
      1,
      String.fromCharCode(random.below(random.below(4) === 0 ? 65_536 : 256)),
    ),
  (input, random) => splice(input, random.below(input.length + 1), 1 + random.below(8), ''),
  (input, random) => {
    const [start, end] = span(input, random);
    return splice(input, start, end - start, '');
  },
  (input, random) => {
    const [start, end] = span(input, random);
    return splice(
      input,
      random.below(input.length + 1),
      0,
      input.slice(start, end).repeat(1 + random.below(4)),
    );
  },
  (input, random, words) => splice(input, random.below(input.length + 1), 0, random.pick(words)),
  (input, random, words) => replaced(input, /[A-Za-z_-]+/g, random, () => random.pick(words)),
  (input, random) => replaced(input, /-?\d+(?:\.\d+)?/g, random, () => random.pick(NUMBERS)),
  (input, random) =>
    replaced(input, /"[^"]*"|-?\d+|true|false|null|\{\}|\[\]/g, random, () => random.pick(JSON_VALUES)),
  (input, random) => replaced(input, /[^.;,&=:/]+/g, random, () => ''),
  (input, random, _, others) => {
    const other = random.pick(others);
    return input.slice(0, random.below(input.length + 1)) + other.slice(random.below(other.length + 1));
  },
  (input, random, _, others) => {
    const other = random.pick(others);
    const [start, end] = span(other, random);
    return splice(input, random.below(input.length + 1), 0, other.slice(start, end));
  },
  (input, random) =>
    replaced(input, /[A-Za-z]/g, random, (letter) =>
      letter < 'a' ? letter.toLowerCase() : letter.toUpperCase(),
    ),
  (input, random) =>
    replaced(input, /[^%]/g, random, (character) =>
      character < '\u0100' ? `%${character.charCodeAt(0).toString(16).padStart(2, '0')}` : character,
    ),
  // Behind an encoding: the text of one part is mutated and encoded again.
  (input, random, words, others) =>
    replaced(input, /[\w-]{8,}|[A-Za-z0-9+/]{8,}={0,2}/g, random, (part) => {
      const encoding = /[+/=]/.test(part) ? 'base64' : 'base64url';
      const text = Buffer.from(part, encoding).toString();
      return Buffer.from(mutated(text, random, words, others)).toString(encoding);
    }),
];

/** Returns another input, some steps away from one of the known ones. */
export function mutated(
  input: string,
  random: Random,
  words: readonly string[],
  others: readonly string[],
): string {
  let changed = input;
  for (let steps = 1 << random.below(4); steps > 0; steps--)
    changed = random.pick(MUTATIONS)(changed, random, words, others);
  return changed.slice(0, MAX_LENGTH);
}

/** Returns an input that repeats a part of itself up to a length. */
export function pumped(input: string, [start, end]: readonly [number, number], length: number): string {
  const part = input.slice(start, end) || 'a';
  return input.slice(0, end) + part.repeat(Math.ceil(length / part.length)) + input.slice(end);
}

/** Returns the beginning and the end of a part of an input. */
export function span(input: string, random: Random): [number, number] {
  const start = random.below(input.length + 1);
  return [
    start,
    Math.min(input.length, start + 1 + random.below(random.below(3) === 0 ? input.length + 1 : 6)),
  ];
}

function splice(input: string, at: number, length: number, text: string): string {
  return input.slice(0, at) + text + input.slice(at + length);
}

/** Replaces one of the places where a pattern matches. */
function replaced(
  input: string,
  pattern: RegExp,
  random: Random,
  replace: (found: string) => string,
): string {
  const found = [...input.matchAll(pattern)];
  if (found.length === 0) return input;
  const { 0: text, index } = random.pick(found);
  return splice(input, index, text.length, replace(text));
}
