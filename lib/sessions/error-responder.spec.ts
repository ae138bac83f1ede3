import { describe, expect, it } from '@jest/globals';
import {
  CoreResponseError,
  CoreUnavailableError,
  RateLimitedError,
  TooManySessionsError,
} from '../errors.js';
import { CapturedResponse } from '../http/captured-response.js';
import { IncomingRequest } from '../http/incoming-request.js';
import { ErrorResponder } from './error-responder.js';
import type { HandledError } from './error-rules.js';

const request = new IncomingRequest({ method: 'GET', url: '/', headers: {} });
const responder = new ErrorResponder({
  config: { sessionExpiredStatusCode: 401, invalidClaimStatusCode: 403, showClaimValues: false },
  transport: {
    clearBoth: () => {
      throw new Error('called for an error that ends no session');
    },
  },
  recipe: { revokeSession: () => Promise.reject(new Error('called for an error that ends no session')) },
  handlers: {},
  prepareContext: (userContext = {}) => userContext,
  logger: { debug: () => undefined, error: () => undefined },
});

describe('an error told outside of HTTP', () => {
  it.each<[code: string, status: number, error: HandledError]>([
    ['SERVICE_UNAVAILABLE', 503, new CoreUnavailableError('gone', { retryAfterSec: 2 })],
    ['BAD_GATEWAY', 502, new CoreResponseError('nonsense')],
    ['TOO_MANY_SESSIONS', 409, new TooManySessionsError('ada', 'public', 5)],
    ['TOO_MANY_REQUESTS', 429, new RateLimitedError(30)],
  ])('has the code %s and the status of its HTTP response, %d', async (code, status, error) => {
    const captured = await responder.capture(error, { request, response: undefined });
    expect(captured).toMatchObject({ code, status });
  });

  it('says when to try again wherever headers can still be written (S101)', async () => {
    const written: Record<string, unknown> = {};
    const response = new CapturedResponse();
    response.setHeader = (name, value) => {
      written[name] = value;
    };
    await responder.capture(new RateLimitedError(29.5), { request, response });
    expect(written).toEqual({ 'Retry-After': '30' });
  });
});
