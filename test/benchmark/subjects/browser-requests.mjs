// The requests of a page that uses supertokens-website, as that library sends them (its version 20): each with `rid` and
// `st-auth-mode`. In a browser the session is in cookies, and the page's own cookie with the front token comes along;
// in a native app the session is in a header.
import { parse } from 'cookie';

/** @typedef {'cookie' | 'header'} TransferMethod */

/** @type {readonly TransferMethod[]} */
export const TRANSFER_METHODS = ['cookie', 'header'];

const FRONT_TOKEN = Buffer.from(
  JSON.stringify({
    uid: '2d5c1d0a-77c4-4be5-9a08-0dc41e1ea0e9',
    ate: 1_800_000_000_000,
    up: { role: 'admin' },
  }),
).toString('base64');

/**
 * The headers of a request to a guarded route.
 *
 * @param {TransferMethod} by
 * @param {string} token
 */
export function guardedRequest(by, token) {
  const own = { rid: 'anti-csrf', 'st-auth-mode': by };
  return by === 'cookie'
    ? { ...own, Cookie: `sFrontToken=${FRONT_TOKEN}; sAccessToken=${token}` }
    : { ...own, Authorization: `Bearer ${token}` };
}

/**
 * The headers of a refresh: by cookie the browser sends both tokens.
 *
 * @param {TransferMethod} by
 * @param {{ access: string, refresh: string }} tokens
 */
export function refreshRequest(by, { access, refresh }) {
  const own = {
    rid: 'session',
    'fdi-version': '1.16,1.17,1.18,1.19,2.0,3.0,3.1,4.0,4.1',
    'st-auth-mode': by,
  };
  return by === 'cookie'
    ? { ...own, Cookie: `sFrontToken=${FRONT_TOKEN}; sAccessToken=${access}; sRefreshToken=${refresh}` }
    : { ...own, Authorization: `Bearer ${refresh}` };
}

/**
 * The access token of a request, as guards of peers find it; cookies by the package that `cookie-parser` and
 * `@fastify/cookie` are made of.
 *
 * @param {TransferMethod} by
 * @param {{ headers: import('node:http').IncomingHttpHeaders }} request
 */
export function accessTokenIn(by, { headers }) {
  if (by === 'cookie') return parse(headers.cookie ?? '').sAccessToken;
  const [type, token] = headers.authorization?.split(' ') ?? [];
  return type === 'Bearer' ? token : undefined;
}

/** The value of a cookie that a response sets, as the browser sends it back; undefined if it sets none. */
export function cookieSetIn(head, name) {
  return new RegExp(`^set-cookie: *${name}=([^;\\r\\n]*)`, 'im').exec(head)?.[1];
}
