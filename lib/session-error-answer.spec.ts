import { describe, expect, it } from '@jest/globals';
import { CoreUnavailableError } from './errors/core.error.js';
import { reasonOf } from './session-error-answer.js';

describe('the reason of an error, for the log', () => {
  it('S103 cannot begin a new line', () => {
    const cause = new Error('a driver quotes\nwhat a client sent\u001B[31m');
    expect(reasonOf(new CoreUnavailableError('gone', { cause }))).toBe(
      'CoreUnavailableError: gone: a driver quotes\\u{a}what a client sent\\u{1b}[31m',
    );
  });
});
