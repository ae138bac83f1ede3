import { findReservedClaim } from '../../lib/tokens/access-token-claims.js';
import type { SessionRow } from '../../lib/stores/session-store.js';
import type { Operation } from './operations.js';
import type { AccessToken, Request, Session } from './spec.js';
import type { Tokens } from './tokens.js';

const ACCESS_TOKEN_VERSION = 5;
/** The claim that holds the absolute end, which no request of the model changes. */
const LIMIT = 'session_expiry';

/** Translates what the engine works with into the words of the rules. */
export class Facts {
  private readonly requests = new Map<string, Request>();

  constructor(private readonly tokens: Tokens) {}

  /** Returns the row as the rules see it; undefined as generation where the current token is none that was given out. */
  session(row: SessionRow, line: readonly string[]): Session | { readonly current: undefined } {
    const current = line.findIndex((token) => this.tokens.hash2(token) === row.refreshTokenHash2);
    if (current < 0) return { current: undefined };
    return {
      current,
      rotatedAtMs: row.rotatedAtMs,
      expiresAtMs: row.expiresAtMs,
      data: namesIn(row.sessionData),
      claims: namesIn(row.accessTokenPayload),
    };
  }

  request(operation: Operation, line: readonly string[]): Request {
    if (!('token' in operation)) return operation;
    const key = `${operation.kind} ${operation.token} ${'checkDatabase' in operation && operation.checkDatabase}`;
    const known = operation.kind === 'regenerate' ? undefined : this.requests.get(key);
    if (known !== undefined) return known;
    const request = this.readRequest(operation, line);
    this.requests.set(key, request);
    return request;
  }

  private readRequest(operation: Extract<Operation, { token: string }>, line: readonly string[]): Request {
    if (operation.kind === 'refresh') return { kind: 'refresh', generation: line.indexOf(operation.token) };
    const token = this.accessToken(operation.token, line);
    return operation.kind === 'verify'
      ? { kind: 'verify', token, checkDatabase: operation.checkDatabase }
      : { kind: 'regenerate', token, claim: operation.claim };
  }

  accessToken(name: string, line: readonly string[]): AccessToken {
    const info = this.tokens.info(name);
    return {
      generation: line.findIndex((token) => this.tokens.hash1(token) === info.refreshTokenHash1),
      isOfRefresh: info.parentRefreshTokenHash1 !== undefined,
      expiresAtMs: info.expiryMs,
      claims: Object.keys(info.payload).filter(isOwn).sort(),
    };
  }
}

const names = new Map<string, readonly string[]>();

function namesIn(json: string): readonly string[] {
  let found = names.get(json);
  if (found === undefined) {
    found = Object.keys(JSON.parse(json) as object)
      .filter((name) => name !== LIMIT)
      .sort();
    names.set(json, found);
  }
  return found;
}

function isOwn(name: string): boolean {
  return name !== LIMIT && findReservedClaim({ [name]: null }, ACCESS_TOKEN_VERSION) === undefined;
}
