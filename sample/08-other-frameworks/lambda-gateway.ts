import type { IncomingMessage } from 'node:http';
import type { APIGatewayProxyEvent, APIGatewayProxyEventV2 } from 'aws-lambda';
import { createHandler } from './lambda.js';
import { listen } from './node-http.js';
import type { Running, Settings } from './settings.js';

/** The result of a handler, in either version. */
interface Result {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly cookies?: readonly string[];
  readonly body: string;
}

/** A gateway refuses all others. */
const METHODS = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/;

/** An API gateway on the loopback, to try the handler with: makes events of requests, and responses of results. */
export async function startLambda(version: '1.0' | '2.0', { port, apiDomain }: Settings): Promise<Running> {
  const handler = createHandler(apiDomain);
  return listen(
    async (request, response) => {
      request.resume();
      if (!METHODS.test(request.method ?? '')) return void response.writeHead(405).end();
      const event = version === '2.0' ? eventOfVersion2(request) : eventOfVersion1(request);
      try {
        const { statusCode, headers, multiValueHeaders, cookies, body } = (await handler(event)) as Result;
        response.writeHead(statusCode, {
          ...headers,
          ...(multiValueHeaders as Record<string, string[]>),
          ...(cookies !== undefined && cookies.length > 0 && { 'set-cookie': [...cookies] }),
        });
        response.end(body);
      } catch {
        response.writeHead(502).end();
      }
    },
    port,
    () => undefined,
  );
}

function eventOfVersion1({ method, url = '/', headers }: IncomingMessage): APIGatewayProxyEvent {
  const [path = '/'] = url.split('?');
  const lines = headersOf(headers);
  const event: Partial<APIGatewayProxyEvent> = {
    httpMethod: method ?? 'GET',
    path,
    headers: lines,
    multiValueHeaders: Object.fromEntries(Object.entries(lines).map(([name, line]) => [name, [line]])),
    body: null,
  };
  return event as APIGatewayProxyEvent;
}

function eventOfVersion2({ method = 'GET', url = '/', headers }: IncomingMessage): APIGatewayProxyEventV2 {
  const [rawPath = '/'] = url.split('?');
  const { cookie, ...others } = headersOf(headers);
  const event = {
    version: '2.0',
    rawPath,
    headers: others,
    ...(cookie !== undefined && { cookies: cookie.split('; ') }),
    requestContext: { http: { method, path: rawPath } },
  };
  return event as APIGatewayProxyEventV2;
}

function headersOf(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
