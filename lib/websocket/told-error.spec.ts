import { describe, expect, it } from '@jest/globals';
import {
  CoreResponseError,
  CoreUnavailableError,
  RateLimitedError,
  TooManySessionsError,
} from '../errors.js';
import type { ErrorResponder } from '../sessions/error-responder.js';
import type { AnswerableError, ErrorAnswering } from '../session-error-answer.js';
import { tellError } from './told-error.js';
import { OneWayResponse } from './one-way-response.js';
import { IncomingRequest } from '../http/incoming-request.js';

const request = new IncomingRequest({ method: 'GET', url: '/', headers: {} });
const answering: ErrorAnswering = {
  responder: {
    respond: () => Promise.reject(new Error('asked about an error that ends no session')),
  } as unknown as ErrorResponder,
  userContext: {},
};

describe('an error told outside of HTTP', () => {
  it.each<[code: string, status: number, error: AnswerableError]>([
    ['SERVICE_UNAVAILABLE', 503, new CoreUnavailableError('gone', { retryAfterSec: 2 })],
    ['BAD_GATEWAY', 502, new CoreResponseError('nonsense')],
    ['TOO_MANY_SESSIONS', 409, new TooManySessionsError('ada', 'public', 5)],
    ['TOO_MANY_REQUESTS', 429, new RateLimitedError(30)],
  ])('has the code %s and the status of its HTTP answer, %d', async (code, status, error) => {
    const told = await tellError(error, { request, response: undefined }, answering);
    expect(told).toMatchObject({ code, status });
  });

  it('says when to try again wherever headers can still be written (S101)', async () => {
    const written: Record<string, unknown> = {};
    const response = new OneWayResponse();
    response.setHeader = (name, value) => {
      written[name] = value;
    };
    await tellError(new RateLimitedError(29.5), { request, response }, answering);
    expect(written).toEqual({ 'Retry-After': '30' });
  });
});
