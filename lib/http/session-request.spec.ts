import { describe, expect, it } from '@jest/globals';
import type { HttpResponse } from '../util/http-exchange.js';
import { assertNotSent, ResponseSentError } from './session-request.js';

describe('a call that comes after the headers of the response', () => {
  it('is refused with its name, and with what helps', () => {
    const check = (isSent: boolean) => () => assertNotSent({ isSent } as HttpResponse, 'createNewSession');
    expect(check(false)).not.toThrow();
    expect(check(true)).toThrow(ResponseSentError);
    expect(check(true)).toThrow(
      /^createNewSession: the headers .* have been sent.* Call it before the first byte is sent, or use its form without request/,
    );
  });
});
