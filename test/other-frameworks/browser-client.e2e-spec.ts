import { request as sendRequest, type RequestListener } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FRAMEWORKS } from '../../sample/08-other-frameworks/frameworks.js';
import { listen } from '../../sample/08-other-frameworks/node-http.js';
import type { Running } from '../../sample/08-other-frameworks/settings.js';
import { browserAt, website } from '../support/website-client.js';
import { startSessionApi, type SessionApi } from './session-api.js';

const TWO_HOURS_MS = 7_200_000;

/** One origin for the browser: sign-in at the API, everything else at the service. */
function proxyTo(target: () => { api: string; service: string }): RequestListener {
  return (incoming, outgoing) => {
    const { api, service } = target();
    const { method, url = '/', headers } = incoming;
    const request = sendRequest(new URL(url, url === '/login' ? api : service), { method, headers });
    request.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
      response.pipe(outgoing);
    });
    incoming.pipe(request);
  };
}

describe('the browser client', () => {
  const told: string[] = [];
  let api: SessionApi;
  let service: Running;
  let front: Running;
  let browserFetch: typeof fetch;

  beforeAll(async () => {
    api = await startSessionApi();
    front = await listen(
      proxyTo(() => ({ api: api.origin, service: service.origin })),
      0,
      () => undefined,
    );
    // The services run in this process, too, and are to have the `fetch` of the runtime.
    const runtimeFetch = globalThis.fetch;
    website.init({
      apiDomain: front.origin,
      tokenTransferMethod: 'header',
      ...browserAt(front.origin),
      onHandleEvent: ({ action }: { action: string }) => told.push(action),
    });
    browserFetch = globalThis.fetch;
    globalThis.fetch = runtimeFetch;
  });
  afterAll(() => front.close());

  it.each(Object.entries(FRAMEWORKS))(
    'refreshes by itself when %s says that the access token has expired, and repeats the request',
    async (_name, start) => {
      service = await start({ port: 0, apiDomain: api.origin });
      try {
        const { clock } = api.application;
        clock.set(Date.now() - TWO_HOURS_MS);
        const headers = { 'content-type': 'application/json' };
        const body = JSON.stringify({ userId: 'user-1' });
        expect((await browserFetch(`${front.origin}/login`, { method: 'POST', headers, body })).status).toBe(
          201,
        );
        clock.set(Date.now());
        told.splice(0);
        const response = await browserFetch(`${front.origin}/me`);
        expect({ status: response.status, body: await response.json() }).toEqual({
          status: 200,
          body: { userId: 'user-1' },
        });
        expect(told).toContain('REFRESH_SESSION');
      } finally {
        await service.close();
      }
    },
  );
});
