import type { RequestWithoutToken } from './spec.js';

/** One call of the library by a holder of tokens, an administrator or a timer. Tokens are the texts themselves. */
export type Operation =
  | { readonly kind: 'refresh'; readonly token: string }
  | { readonly kind: 'verify'; readonly token: string; readonly checkDatabase: boolean }
  | { readonly kind: 'regenerate'; readonly token: string; readonly claim: string }
  | RequestWithoutToken;

/**
 * The end of an operation as its caller sees it. `UNAVAILABLE` is the 503 of a store that failed: the caller does not know what
 * happened.
 */
export interface OperationResponse {
  readonly status:
    | 'OK'
    | 'GONE'
    | 'UNAUTHORISED'
    | 'TRY_REFRESH'
    | 'THEFT'
    | 'UNAVAILABLE'
    /** An error that is none of the library's own: always a fault. */
    | 'FAILED';
  /** The tokens that the caller did not have before. */
  readonly accessToken?: string;
  readonly refreshToken?: string;
  readonly message?: string;
}

/** A call of the store that the engine waits for. */
export interface StoreCall {
  readonly method: StoreMethod;
  readonly args: readonly unknown[];
}

/** The methods whose calls are choice points. Those about keys return at once. */
export const STORE_METHODS = [
  'findSession',
  'update',
  'deleteSessions',
  'deleteSessionsOfUsers',
  'deleteExpiredSessions',
] as const;

export type StoreMethod = (typeof STORE_METHODS)[number];

/** The state of an operation: it waits for the store, or it has ended. */
export type Point = { readonly call: StoreCall } | { readonly response: OperationResponse };

/** The response of the store to a call, and the time at which the engine goes on. */
export interface Heard {
  readonly nowMs: number;
  /** Undefined: the connection broke. */
  readonly reply: { readonly value: unknown } | undefined;
}

export function hasResponse(point: Point): point is { readonly response: OperationResponse } {
  return 'response' in point;
}
