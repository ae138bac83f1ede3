import { describe, expect, it } from '@jest/globals';
import type { HttpRequest } from '../util/http-exchange.js';
import { identifiedBy, requestIdentity } from './request-identity.js';

const requestOf = (original: unknown): HttpRequest => ({ original }) as HttpRequest;

describe('the object that stands for a request', () => {
  it('is the request of the framework, however often it is wrapped', () => {
    const original = {};
    expect(requestIdentity(requestOf(original))).toBe(original);
    expect(requestIdentity(requestOf(original))).toBe(requestIdentity(requestOf(original)));
  });

  it('is the one origin of requests that are made anew', () => {
    const origin = {};
    const requests = [1, 2].map((n) => requestOf({ n, ...identifiedBy(origin) }));
    expect(requests.map(requestIdentity)).toEqual([origin, origin]);
    expect(requests.every((request) => requestIdentity(request) === origin)).toBe(true);
  });

  it.each([undefined, null, 'GET /'])('is the wrapper itself around %j', (original) => {
    const request = requestOf(original);
    expect(requestIdentity(request)).toBe(request);
  });
});
