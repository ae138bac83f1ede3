import type { APIGatewayProxyEvent, APIGatewayProxyEventV2 } from 'aws-lambda';
import { createSessionVerifier, forwardRefresh, sessionErrorResponse } from 'nest-sessions/verify';
import { onlyPro } from './plan.js';

/** The events of the API gateway, in both versions. */
type Event = APIGatewayProxyEvent | APIGatewayProxyEventV2;

/** Guarded routes behind the API gateway. */
export function createHandler(apiDomain: string): (event: Event) => Promise<object> {
  // Outside of the handler, so that the key set is kept while the function is warm.
  const sessions = createSessionVerifier({ apiDomain });

  const route = async (request: Request, path: string): Promise<Response> => {
    switch (`${request.method} ${path}`) {
      case 'GET /me':
      case 'POST /orders':
        return Response.json({ userId: (await sessions.verify(request)).userId });
      case 'GET /reports':
        await sessions.verify(request, { claims: [onlyPro] });
        return Response.json({ reports: [] });
      // For browsers that know only this origin.
      case 'POST /auth/session/refresh':
        return forwardRefresh(request, { apiDomain });
      default:
        return Response.json({ message: 'Not Found' }, { status: 404 });
    }
  };

  return async (event) => {
    const path = 'rawPath' in event ? event.rawPath : event.path;
    const response = await route(toRequest(event, path), path).catch((error: unknown) => {
      const refusal = sessionErrorResponse(error);
      if (!refusal) throw error;
      return refusal;
    });
    const cookies = response.headers.getSetCookie();
    response.headers.delete('set-cookie');
    const headers = Object.fromEntries(response.headers);
    const result = { statusCode: response.status, headers, body: await response.text() };
    // Each version has its own way to set several cookies.
    return 'rawPath' in event
      ? { ...result, cookies }
      : { ...result, multiValueHeaders: { 'set-cookie': cookies } };
  };
}

function toRequest(event: Event, path: string): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers ?? {}))
    if (value !== undefined) headers.set(name, value);
  // Version 2 has the cookies in a list of their own.
  if ('cookies' in event && event.cookies) headers.set('cookie', event.cookies.join('; '));
  const method = 'rawPath' in event ? event.requestContext.http.method : event.httpMethod;
  const host = headers.get('host') ?? 'localhost';
  return new Request(`https://${host}${path}`, { method, headers });
}
