import type { SessionResponse } from '../http/collected-response.js';

/** Statuses whose responses have no body. */
const WITHOUT_BODY = [101, 204, 205, 304];
/** Headers whose lines add up; each other header is replaced. */
const LISTS = ['set-cookie', 'vary', 'access-control-expose-headers'];

/** Returns a response of fetch. */
export function toFetchResponse({ status, headers, body }: SessionResponse): Response {
  return new Response(WITHOUT_BODY.includes(status) ? null : body, { status, headers });
}

/** Returns the response of a handler with the headers that the session wrote. */
export function mergeResponse(response: Response, { headers: written }: SessionResponse): Response {
  if (written.length === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of written) {
    if (LISTS.includes(name)) headers.append(name, value);
    else headers.set(name, value);
  }
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
