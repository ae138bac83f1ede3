import { CoreUnavailableError } from '../../errors.js';
import { shortHandle } from '../../events/short-handle.js';
import type { SessionCondition, SessionKey, SessionRow, SessionStore } from '../../stores/session-store.js';
import { findReservedClaim } from '../../tokens/access-token-claims.js';
import type { Clock } from '../../util/clock.js';
import { applyChange, changeBetween, type JsonObject, type NamesChange } from '../../util/json.js';
import type { UserContext } from '../../util/user-context.js';
import type { AuditNotes } from './audit-notes.js';
import type { RegenerateInput } from '../core.types.js';
import { parseSessionHandle } from './session-handle.js';
import { ACCESS_TOKEN_VERSION, assertNoReservedClaim, storedObject } from './session-issuer.js';

/** In each round one of the writers that merge at once succeeds, so this is the number of writers that can meet. */
const MAX_MERGE_ATTEMPTS = 1000;

/** A column of JSON text that writers merge into. */
type JsonColumn = 'sessionData' | 'accessTokenPayload';

/** Reads and changes the data and the payload of live sessions. */
export class SessionColumns {
  constructor(
    private readonly store: SessionStore,
    private readonly clock: Clock,
    private readonly audit: AuditNotes,
  ) {}

  async findLive(key: SessionKey): Promise<SessionRow | undefined> {
    const row = await this.store.findSession(key);
    return row !== undefined && row.expiresAtMs > this.clock.now() ? row : undefined;
  }

  /**
   * Returns whether the session may be there; it is looked up only to refuse a payload, because a session that has ended is the
   * reason that comes first.
   *
   * @throws {CoreBadInputError} it is there, and the payload has a reserved claim
   */
  async mayStorePayload(
    key: SessionKey,
    payload: JsonObject,
    version: number = ACCESS_TOKEN_VERSION,
  ): Promise<boolean> {
    if (findReservedClaim(payload, version) === undefined) return true;
    if ((await this.findLive(key)) === undefined) return false;
    assertNoReservedClaim(payload, version);
    return true;
  }

  /** @returns the row after the change, or undefined when the session is unknown or has expired */
  async changePayload(
    key: SessionKey,
    change: NamesChange,
    userContext?: UserContext,
  ): Promise<SessionRow | undefined> {
    return this.merge(key, 'accessTokenPayload', (stored) => applyChange(stored, change), userContext);
  }

  /** Replaces a column, whatever it holds. @returns as above */
  async write(
    key: SessionKey,
    column: JsonColumn,
    value: JsonObject,
    userContext?: UserContext,
  ): Promise<SessionRow | undefined> {
    return this.store.update(key, whileLive(this.clock.now()), {
      [column]: JSON.stringify(value),
      audit: this.audit.written(column, () => Object.keys(value), userContext),
    });
  }

  /** As `CoreClient.updateSessionData`. */
  async setData(sessionHandle: string, data: JsonObject, userContext?: UserContext): Promise<boolean> {
    const key = parseSessionHandle(sessionHandle);
    return key !== undefined && (await this.write(key, 'sessionData', data, userContext)) !== undefined;
  }

  /** As `CoreClient.changeSessionData`. */
  async changeData(
    sessionHandle: string,
    change: (stored: JsonObject) => JsonObject | undefined,
    userContext?: UserContext,
  ): Promise<boolean> {
    const key = parseSessionHandle(sessionHandle);
    return key !== undefined && (await this.merge(key, 'sessionData', change, userContext)) !== undefined;
  }

  /** As `CoreClient.updateAccessTokenPayload`. */
  async setPayload(sessionHandle: string, payload: JsonObject, userContext?: UserContext): Promise<boolean> {
    const key = parseSessionHandle(sessionHandle);
    if (key === undefined || !(await this.mayStorePayload(key, payload))) return false;
    return (await this.write(key, 'accessTokenPayload', payload, userContext)) !== undefined;
  }

  /** As `CoreClient.changeAccessTokenPayload`. */
  async changePayloadByHandle(
    sessionHandle: string,
    change: NamesChange,
    userContext?: UserContext,
  ): Promise<boolean> {
    const key = parseSessionHandle(sessionHandle);
    if (key === undefined || !(await this.mayStorePayload(key, change.set))) return false;
    return (await this.changePayload(key, change, userContext)) !== undefined;
  }

  /** @returns the row after the change, or undefined when the session is unknown or has expired */
  async regenerate(
    key: SessionKey,
    { userDataInJWT, change }: RegenerateInput,
    userContext: UserContext | undefined,
  ): Promise<SessionRow | undefined> {
    if (change !== undefined) return this.changePayload(key, change, userContext);
    if (userDataInJWT === undefined) return this.findLive(key);
    return this.write(key, 'accessTokenPayload', userDataInJWT, userContext);
  }

  /**
   * Changes a column, and tries again when another writer was faster.
   *
   * @param merge returns the new value, or undefined if the column can stay as it is
   * @returns as above
   */
  async merge(
    key: SessionKey,
    column: JsonColumn,
    merge: (stored: JsonObject) => JsonObject | undefined,
    userContext?: UserContext,
  ): Promise<SessionRow | undefined> {
    for (let attempt = 0; attempt < MAX_MERGE_ATTEMPTS; attempt++) {
      const now = this.clock.now();
      const known = await this.findLive(key);
      if (known === undefined) return undefined;
      const from = known[column];
      const stored = storedObject(from);
      const merged = merge(stored);
      if (merged === undefined) return known;
      const audit = this.audit.written(column, () => changedNames(stored, merged), userContext);
      const change = { [column]: JSON.stringify(merged), audit };
      const row = await this.store.update(key, { ...whileLive(now), [column]: from }, change);
      if (row !== undefined) return row;
    }
    const noun = column === 'sessionData' ? 'data' : 'payload';
    throw new CoreUnavailableError(
      `The ${noun} of session ${shortHandle(key.sessionHandle)} is written by too many at once`,
    );
  }
}

function changedNames(from: JsonObject, to: JsonObject): string[] {
  const { set, remove } = changeBetween(from, to, []);
  return [...Object.keys(set), ...remove];
}

/** The condition that a session has not ended: like a Core, the engine neither shows nor changes one in its last millisecond. */
function whileLive(nowMs: number): SessionCondition {
  return { minExpiresAtMs: nowMs + 1 };
}
