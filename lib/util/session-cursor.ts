/**
 * The place of a session in the order of creation, from which a list goes on.
 *
 * @publicApi
 */
export interface SessionPosition {
  readonly tenantId: string;
  readonly sessionHandle: string;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

/**
 * One step of a count.
 *
 * @publicApi
 */
export interface SessionCountStep {
  readonly count: number;
  /** The database's own estimate of all rows, where a first step is full and about everybody; those that have just ended are in it. */
  readonly estimate?: number;
  /** The beginning of the next step; undefined after the last one. */
  readonly next: SessionPosition | undefined;
}

const LONGEST_CURSOR = 1024;

/** Writes a place in the order of creation as a text for URLs. It holds no secret. */
export function writeCursor({ createdAtMs, tenantId, sessionHandle }: SessionPosition): string {
  return Buffer.from(JSON.stringify([createdAtMs, tenantId, sessionHandle])).toString('base64url');
}

/** Returns the cursor behind all sessions that were created then or later: no tenant and no handle comes before this character. */
export function cursorBefore(createdAtMs: number): string {
  return writeCursor({ createdAtMs, tenantId: '!', sessionHandle: '!' });
}

/** @returns undefined for any other text */
export function readCursor(cursor: string): SessionPosition | undefined {
  if (cursor.length > LONGEST_CURSOR || !/^[\w-]+$/.test(cursor)) return undefined;
  try {
    const [createdAtMs, tenantId, sessionHandle, ...rest] = parseList(cursor);
    const isPosition =
      Number.isSafeInteger(createdAtMs) && isName(tenantId) && isName(sessionHandle) && rest.length === 0;
    return isPosition ? ({ createdAtMs, tenantId, sessionHandle } as SessionPosition) : undefined;
  } catch {
    return undefined; // not JSON
  }
}

function parseList(cursor: string): unknown[] {
  const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  return Array.isArray(value) ? value : [];
}

/** Handles and tenants are printable; a database refuses some of the other characters. */
function isName(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value);
}
