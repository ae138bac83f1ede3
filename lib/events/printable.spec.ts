import { describe, expect, it } from '@jest/globals';
import { CoreUnavailableError } from '../errors.js';
import { errorReason, printable } from './printable.js';
import { shortHandle } from './short-handle.js';

describe('text from outside (S103)', () => {
  it.each([
    ['an ordinary user agent', 'Mozilla/5.0 (X11; Linux x86_64)', 'Mozilla/5.0 (X11; Linux x86_64)'],
    ['letters of any language', 'Zürich 東京 👍', 'Zürich 東京 👍'],
    ['a forged line', 'curl\r\n[Nest] LOG admin signed in', 'curl\\u{d}\\u{a}[Nest] LOG admin signed in'],
    ['a terminal command', '\u001b[2Jcurl', '\\u{1b}[2Jcurl'],
    ['a C1 command', '\u009b2J', '\\u{9b}2J'],
    ['separators of lines and paragraphs', 'a\u2028b\u2029c', 'a\\u{2028}b\\u{2029}c'],
    ['a reversed reading direction', 'a\u202eb', 'a\\u{202e}b'],
    ['half a surrogate pair', 'a\ud800b', 'a\\u{d800}b'],
    ['NUL', 'a\0b', 'a\\u{0}b'],
    ['nothing', '', ''],
  ])('is harmless in a log line: %s', (_case, text, expected) => {
    expect(printable(text, 256)).toBe(expected);
  });

  it('is cut', () => {
    expect(printable('x'.repeat(300), 256)).toBe(`${'x'.repeat(256)}…`);
    expect(printable('x'.repeat(256), 256)).toBe('x'.repeat(256));
  });
});

describe('a shortened handle (S103)', () => {
  it('is the same for the same session, another one for another, and shows nothing of it', () => {
    const handle = 'f4b5ad4c-5f9c-4e1f-8f0a-4a9a2d4e8c11_t1';
    expect(shortHandle(handle)).toMatch(/^[0-9a-f]{16}$/);
    expect(shortHandle(handle)).toBe(shortHandle(handle));
    expect(shortHandle(`${handle}2`)).not.toBe(shortHandle(handle));
  });
});

describe('the reason of an error, for the log', () => {
  it('cannot begin a new line (S103)', () => {
    const cause = new Error('a driver quotes\nwhat a client sent\u001B[31m');
    expect(errorReason(new CoreUnavailableError('gone', { cause }))).toBe(
      'CoreUnavailableError: gone: a driver quotes\\u{a}what a client sent\\u{1b}[31m',
    );
  });
});
