import type { ClientResponse } from './http-client.js';

/** The effect of a response on the tokens that the client holds. */
export interface TokenTraffic {
  readonly accessCookie: 'set' | 'deleted' | 'untouched';
  readonly refreshCookie: 'set' | 'deleted' | 'untouched';
  readonly accessHeader: 'set' | 'emptied' | 'absent';
  readonly refreshHeader: 'set' | 'emptied' | 'absent';
  readonly frontToken: 'set' | 'removed' | 'absent';
  readonly antiCsrf: 'set' | 'absent';
}

export const NOTHING: TokenTraffic = {
  accessCookie: 'untouched',
  refreshCookie: 'untouched',
  accessHeader: 'absent',
  refreshHeader: 'absent',
  frontToken: 'absent',
  antiCsrf: 'absent',
};

export const COOKIES_SET: TokenTraffic = {
  ...NOTHING,
  accessCookie: 'set',
  refreshCookie: 'set',
  frontToken: 'set',
};

export const HEADERS_SET: TokenTraffic = {
  ...NOTHING,
  accessHeader: 'set',
  refreshHeader: 'set',
  frontToken: 'set',
};

export const COOKIES_CLEARED: TokenTraffic = {
  ...NOTHING,
  accessCookie: 'deleted',
  refreshCookie: 'deleted',
  frontToken: 'removed',
};

export const HEADERS_CLEARED: TokenTraffic = {
  ...NOTHING,
  accessHeader: 'emptied',
  refreshHeader: 'emptied',
  frontToken: 'removed',
};

/** The traffic that sdk.md §19 calls "clear-both". */
export const BOTH_CLEARED: TokenTraffic = {
  ...COOKIES_CLEARED,
  accessHeader: 'emptied',
  refreshHeader: 'emptied',
};

/** Reads it off the response; the names are the default ones unless told otherwise. */
export function tokenTraffic(
  response: ClientResponse,
  names: {
    accessCookie?: string;
    refreshCookie?: string;
    accessHeader?: string;
    refreshHeader?: string;
  } = {},
): TokenTraffic {
  const frontToken = response.header('front-token');
  return {
    accessCookie: cookie(response, names.accessCookie ?? 'sAccessToken'),
    refreshCookie: cookie(response, names.refreshCookie ?? 'sRefreshToken'),
    accessHeader: header(response, names.accessHeader ?? 'st-access-token'),
    refreshHeader: header(response, names.refreshHeader ?? 'st-refresh-token'),
    frontToken: frontToken === undefined ? 'absent' : frontToken === 'remove' ? 'removed' : 'set',
    antiCsrf: response.header('anti-csrf') === undefined ? 'absent' : 'set',
  };
}

function cookie(response: ClientResponse, name: string): TokenTraffic['accessCookie'] {
  const set = response.setCookie(name);
  if (set === undefined) return 'untouched';
  if (set.value !== '') return 'set';
  if (set.expires !== 'Thu, 01 Jan 1970 00:00:00 GMT') throw new Error(`An empty cookie stays: ${set.line}`);
  return 'deleted';
}

function header(response: ClientResponse, name: string): TokenTraffic['accessHeader'] {
  const value = response.header(name);
  if (value === undefined) return 'absent';
  return value === '' ? 'emptied' : 'set';
}

/** All that matters of a response to a client whose session is in doubt. */
export interface Outcome {
  readonly status: number;
  readonly text: string;
  readonly tokens: TokenTraffic;
}

export function outcomeOf(response: ClientResponse): Outcome {
  return { status: response.status, text: response.text, tokens: tokenTraffic(response) };
}

/** A refusal that leaves the client's tokens alone. */
export function refused(message: 'unauthorised' | 'try refresh token'): Outcome {
  return { status: 401, text: `{"message":"${message}"}`, tokens: NOTHING };
}

/** A refusal that takes all tokens away. */
export function signedOut(message: 'unauthorised' | 'token theft detected' = 'unauthorised'): Outcome {
  return { status: 401, text: `{"message":"${message}"}`, tokens: BOTH_CLEARED };
}
