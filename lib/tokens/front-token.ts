import type { JsonObject } from '../util/json.js';

/** The facts about a session that the browser client may read. */
export interface FrontTokenContent {
  /** The primary user id. */
  readonly userId: string;
  /** Milliseconds since the epoch. */
  readonly accessTokenExpiryMs: number;
  /** The access token's payload (of version 2 tokens: its `userData`). Readable by scripts: no secrets. */
  readonly payload: JsonObject;
}

/**
 * Returns the value of the `front-token` header: padded base64 of UTF-8 JSON with the keys `uid`, `ate`, `up` in this
 * order, because the browser client compares it as text.
 *
 * @see docs/protocol/sdk.md §3.5, B6
 */
export function buildFrontToken({ userId, accessTokenExpiryMs, payload }: FrontTokenContent): string {
  const json = JSON.stringify({ uid: userId, ate: accessTokenExpiryMs, up: payload });
  return Buffer.from(json, 'utf8').toString('base64');
}
