import { describe, expect, it } from '@jest/globals';
import { CoreUnavailableError } from './errors.js';
import { errorReason } from './session-error-answer.js';

describe('the reason of an error, for the log', () => {
  it('cannot begin a new line (S103)', () => {
    const cause = new Error('a driver quotes\nwhat a client sent\u001B[31m');
    expect(errorReason(new CoreUnavailableError('gone', { cause }))).toBe(
      'CoreUnavailableError: gone: a driver quotes\\u{a}what a client sent\\u{1b}[31m',
    );
  });
});
