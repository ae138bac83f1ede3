import { describe, expect, it } from '@jest/globals';
import { CoreUnavailableError } from '../../lib/errors.js';
import { forwardRefresh, sessionErrorResponse } from '../../lib/verify/index.js';

const REQUEST = (): Request =>
  new Request('https://www.example.com/auth/session/refresh', { method: 'POST' });
const API = { apiDomain: 'https://api.example.com' };

describe('forwardRefresh', () => {
  it.each([204, 304])('hands on a response without a body, status %d', async (status) => {
    const fetch = async (): Promise<Response> => new Response(null, { status });
    expect((await forwardRefresh(REQUEST(), { ...API, fetch })).status).toBe(status);
  });

  it('does not follow a redirect of the API, and hands on no address', async () => {
    const asked: string[] = [];
    const fetch = async (url: string, init: RequestInit): Promise<Response> => {
      asked.push(`${url} ${init.redirect}`);
      return new Response(null, { status: 302, headers: { location: 'https://evil.example' } });
    };
    const { status, headers } = await forwardRefresh(REQUEST(), { ...API, fetch });
    expect([status, headers.get('location')]).toEqual([302, null]);
    expect(asked).toEqual(['https://api.example.com/auth/session/refresh manual']);
  });

  it('takes the address from its options alone, whatever the request says about hosts and paths', async () => {
    const asked: unknown[] = [];
    const fetch = async (url: string, { headers }: RequestInit): Promise<Response> => {
      asked.push(url, [...new Headers(headers).keys()]);
      return new Response('{}');
    };
    const request = new Request('https://evil.example//internal:80/auth/../admin?x=@api', {
      method: 'POST',
      headers: {
        'x-forwarded-host': 'evil.example',
        'x-forwarded-for': '127.0.0.1',
        forwarded: 'host=evil.example',
        'x-original-url': '/admin',
        'api-key': 'stolen',
        'st-auth-mode': 'cookie',
      },
    });
    await forwardRefresh(request, { ...API, fetch });
    expect(asked).toEqual(['https://api.example.com/auth/session/refresh', ['st-auth-mode']]);
  });

  it('is an outage, which signs nobody out, when the response breaks off', async () => {
    const broken = new ReadableStream({
      start(controller) {
        controller.error(new TypeError('terminated'));
      },
    });
    const fetch = async (): Promise<Response> => new Response(broken);
    const error: unknown = await forwardRefresh(REQUEST(), { ...API, fetch }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CoreUnavailableError);
    expect(sessionErrorResponse(error)?.status).toBe(503);
  });

  it('gives the API a limited time', async () => {
    const signals: unknown[] = [];
    const fetch = async (_url: string, { signal }: RequestInit): Promise<Response> => {
      signals.push(signal);
      return new Response('{}');
    };
    await forwardRefresh(REQUEST(), { ...API, fetch });
    expect(signals).toEqual([expect.any(AbortSignal)]);
  });
});
