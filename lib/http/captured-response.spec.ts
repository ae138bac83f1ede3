import { describe, expect, it } from '@jest/globals';
import { CapturedResponse } from './captured-response.js';
import { CollectedResponse } from './collected-response.js';
import { ExpressResponse } from './exchanges.js';

function realResponse() {
  const original = new CollectedResponse();
  return { original, response: new ExpressResponse(original) };
}

describe('a response that is kept instead of sent', () => {
  it('holds status and body, the first of them', () => {
    const { original, response } = realResponse();
    const captured = new CapturedResponse(response);
    expect([captured.statusCode, captured.body]).toEqual([200, undefined]);
    captured.setStatusCode(401);
    captured.sendJSONResponse({ message: 'unauthorised' });
    captured.sendJSONResponse({ message: 'again' });
    expect([captured.statusCode, captured.body]).toEqual([401, { message: 'unauthorised' }]);
    expect([captured.isSent, original.headersSent, original.statusCode]).toEqual([false, false, 200]);
  });

  it('writes headers to the real response until that is sent', () => {
    const { original, response } = realResponse();
    const captured = new CapturedResponse(response);
    expect(captured.original).toBe(original);
    captured.setHeader('x-one', ['a', 'b']);
    captured.setHeader('x-two', 'c');
    captured.removeHeader('x-two');
    expect(captured.getHeaderValues('X-One')).toEqual(['a', 'b']);
    expect(captured.getHeaderValues('x-two')).toEqual([]);
    original.end();
    captured.setHeader('x-one', 'late');
    captured.setHeader('x-two', 'late');
    captured.removeHeader('x-one');
    expect(original.finish().headers).toEqual([
      ['x-one', 'a'],
      ['x-one', 'b'],
    ]);
  });

  it('drops headers where there is no response', () => {
    const captured = new CapturedResponse();
    captured.setHeader('x-one', 'a');
    captured.removeHeader('x-one');
    expect([captured.getHeaderValues('x-one'), captured.original]).toEqual([[], undefined]);
  });
});
