import { parseJsonObject, type JsonObject } from '../util/json.js';
import { percentDecode } from '../http/incoming-request.js';
import { parseSetCookie, type ReceivedCookie } from '../http/set-cookie.js';
import { headerLines, readHeader, type RecordedExchange } from './exchange.js';

const PREFIX = /^__(?:host|secure)-/i;

/** A cookie that sets or removes one of a session's tokens. */
export interface SessionCookie extends ReceivedCookie {
  readonly kind: 'access' | 'refresh';
  /** Address of the request. */
  readonly from: URL;
}

/** The tokens of a response. */
export interface ReceivedTokens {
  readonly transferMethod: 'cookie' | 'header' | 'none';
  readonly accessToken: string | undefined;
  readonly refreshToken: string | undefined;
  readonly antiCsrf: string | undefined;
  readonly hasFrontToken: boolean;
}

/** The session cookies of a response, removals included, under any configured name. */
export function sessionCookies(exchange: RecordedExchange | undefined): SessionCookie[] {
  if (exchange === undefined) return [];
  const from = new URL(exchange.url);
  return headerLines(exchange, 'set-cookie').flatMap((line) => {
    const cookie = parseSetCookie(line, from, exchange.receivedAtMs);
    if (cookie === undefined) return [];
    const kind = cookieKind(cookie);
    return kind === undefined ? [] : [{ ...cookie, kind, from }];
  });
}

/** Reads the tokens of a response from cookies or headers. */
export function readTokens(exchange: RecordedExchange | undefined): ReceivedTokens {
  const kept = sessionCookies(exchange).filter(({ isRemoval }) => !isRemoval);
  const inCookie = (kind: SessionCookie['kind']): string | undefined => {
    const cookie = kept.find((each) => each.kind === kind);
    return cookie && percentDecode(cookie.value);
  };
  const inHeader = (name: string): string | undefined => readHeader(exchange, name) || undefined;
  const frontToken = inHeader('front-token');
  return {
    transferMethod: kept.length > 0 ? 'cookie' : inHeader('st-refresh-token') ? 'header' : 'none',
    accessToken: inCookie('access') ?? inHeader('st-access-token'),
    refreshToken: inCookie('refresh') ?? inHeader('st-refresh-token'),
    antiCsrf: inHeader('anti-csrf'),
    hasFrontToken: frontToken !== undefined && frontToken !== 'remove',
  };
}

/** Decodes the payload of an access token without verifying it; only for reading its times. */
export function payloadWithoutVerifying(token: string | undefined): JsonObject | undefined {
  const parts = token?.split('.') ?? [];
  if (parts.length !== 3) return undefined;
  return parseJsonObject(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'));
}

/** Recognises default names; otherwise an access token by its content and a refresh token by its path. */
function cookieKind({ name, value, path }: ReceivedCookie): SessionCookie['kind'] | undefined {
  const plain = name.replace(PREFIX, '');
  if (plain === 'sAccessToken') return 'access';
  if (plain === 'sRefreshToken') return 'refresh';
  if (payloadWithoutVerifying(percentDecode(value))?.['sessionHandle'] !== undefined) return 'access';
  return path.endsWith('/session/refresh') ? 'refresh' : undefined;
}
