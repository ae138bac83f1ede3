import { randomUUID } from 'node:crypto';
import { CoreUnavailableError } from '../../errors.js';
import { shortHandle } from '../../events/short-handle.js';
import type { FoundSession, SessionChange, SessionRow } from '../../stores/session-store.js';
import type { AccessTokenInfo } from '../../tokens/access-token.js';
import { findReservedClaim } from '../../tokens/access-token-claims.js';
import { refreshTokenHash2 } from '../../tokens/refresh-token.js';
import { jsonEquals, type JsonObject } from '../../util/json.js';
import { KeyedMutex } from '../../util/keyed-mutex.js';
import { sessionExpiryMs } from '../../util/lifetime-claims.js';
import type { RefreshSessionResult, TokenReuseSubtype, VerifySessionResult } from '../core.types.js';
import { decideRefreshAtOnce, isOfCurrentLine } from './at-once-decisions.js';
import { inMs } from './embedded-core-config.js';
import {
  emitRotation,
  NAMES_OF_LIMITS,
  SESSION_GONE,
  unauthorised,
  type Refresh,
  type RotationParts,
  sessionMissing,
} from './rotation-parts.js';
import { parseSessionHandle } from './session-handle.js';
import {
  ACCESS_TOKEN_VERSION,
  applicationPayload,
  protectedField,
  sessionFromToken,
  storedObject,
  type SessionIssuer,
} from './session-issuer.js';

/** A Core's grace period, seconds: without one, a response that got lost would cost the session. */
const DEFAULT_GRACE_PERIOD_SEC = 30;
/** In each round one of the processes that refresh one session succeeds, so this is the number of them that can meet. */
const MAX_ATTEMPTS = 100;
const TURNS = { waitMs: 2000, waiting: 1000 };

/** A refresh token that is about to become current. */
interface NextToken {
  readonly token: string;
  readonly hash2: string;
  readonly antiCsrfToken: string | undefined;
}

/**
 * Refreshes and verifies as a Core does for callers of CDI 5.6: each refresh replaces the refresh token with one conditional
 * update, and a verification writes no row and makes no token.
 *
 * @see docs/protocol/core.md B9
 */
export class RotationAtOnce {
  /** Refreshes of one session take turns, as at the locked row of a Core, so that only other processes can be in the way. */
  private readonly turns = new KeyedMutex(TURNS);

  constructor(
    private readonly parts: RotationParts,
    private readonly issuer: SessionIssuer,
  ) {}

  /** Looks up the session of an access token. @param info the content of a proven token */
  async verifyAgainstStore(info: AccessTokenInfo): Promise<VerifySessionResult> {
    const key = parseSessionHandle(info.sessionHandle);
    const isKnown = key !== undefined && key.tenantId === info.tenantId;
    const row = isKnown ? await this.parts.store.findSession(key) : undefined;
    // Unlike a Core, treat an expired session as missing also before it is swept.
    if (row === undefined || row.expiresAtMs < this.parts.clock.now()) {
      return sessionMissing(row, 'Either the session has ended or has been blacklisted');
    }
    if (!isOfCurrentLine(row, info)) return unauthorised('rotated-out token branch; refresh required');
    const stored = storedObject(row.accessTokenPayload);
    const payloadUpdateAvailable = !jsonEquals(stored, applicationPayload(info));
    return { status: 'OK', session: sessionFromToken(info), payloadUpdateAvailable };
  }

  /** Replaces the presented token, or ends the session of one that came back. */
  async exchange(refresh: Refresh): Promise<RefreshSessionResult> {
    const { tenantId, sessionHandle } = refresh.key;
    return this.turns.run(JSON.stringify([tenantId, sessionHandle]), async () =>
      this.exchangeInTurn(refresh),
    );
  }

  private async exchangeInTurn(refresh: Refresh): Promise<RefreshSessionResult> {
    const { clock, store } = this.parts;
    const next = await this.makeToken(refresh);
    const found = await this.findAndRotate(refresh, next);
    if (found.row !== undefined && found.isUpdated) return this.issuePair(refresh, next, found.row);
    let { row } = found;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const now = clock.now();
      const decision = decideRefreshAtOnce(row, refresh.presented, now, this.gracePeriodMs);
      if (row === undefined || decision === 'UNKNOWN_SESSION') return unauthorised(SESSION_GONE);
      if (decision !== 'ROTATE' && decision !== 'ROTATE_AGAIN')
        return this.endSession(row, decision, refresh);
      const change =
        decision === 'ROTATE'
          ? rotation(refresh, next, now, this.sessionExpiryMs(storedObject(row.accessTokenPayload), now))
          : { refreshTokenHash2: next.hash2, useStaticKey: refresh.useStaticKey };
      const where = { refreshTokenHash2: row.refreshTokenHash2, minExpiresAtMs: now };
      const audited = this.parts.audit.promotion(change, refresh.userContext);
      const updated = await store.update(refresh.key, where, audited);
      if (updated !== undefined) {
        const type = decision === 'ROTATE' ? 'session.promoted' : 'session.grace-hit';
        return this.issuePair(refresh, next, updated, type);
      }
      row = await store.findSession(refresh.key);
    }
    throw new CoreUnavailableError(
      `Session ${shortHandle(refresh.key.sessionHandle)}: the refresh token changed under ${MAX_ATTEMPTS} attempts in a row`,
    );
  }

  /** Makes the new refresh token before anything is written, because its content follows from the presented one. */
  private async makeToken({
    key,
    recipeUserId,
    parent,
    sealer,
    enableAntiCsrf,
  }: Refresh): Promise<NextToken> {
    const antiCsrfToken = enableAntiCsrf ? randomUUID() : undefined;
    const content = { ...key, userId: recipeUserId, parentRefreshTokenHash1: parent.hash1, antiCsrfToken };
    const token = await sealer.issue(content);
    return { token, hash2: refreshTokenHash2(token), antiCsrfToken };
  }

  /** Finds the session, and replaces the presented token with the same call where it is current. */
  private async findAndRotate(refresh: Refresh, next: NextToken): Promise<FoundSession> {
    const now = this.parts.clock.now();
    return this.parts.store.findAndUpdate(refresh.key, {
      where: { refreshTokenHash2: refresh.presented.hash2, minExpiresAtMs: now },
      change: this.parts.audit.promotion(
        rotation(refresh, next, now, this.sessionExpiryMs({}, now)),
        refresh.userContext,
      ),
      unlessMentioned: NAMES_OF_LIMITS,
    });
  }

  /**
   * Makes the access token, after the write: if that fails, the client presents the old token again within the grace period.
   *
   * @param row the session after the write
   */
  private async issuePair(
    refresh: Refresh,
    { token, antiCsrfToken }: NextToken,
    row: SessionRow,
    type: 'session.promoted' | 'session.grace-hit' = 'session.promoted',
  ): Promise<RefreshSessionResult> {
    const reserved = findReservedClaim(storedObject(row.accessTokenPayload), ACCESS_TOKEN_VERSION);
    if (reserved !== undefined) return unauthorised(protectedField(reserved));
    const { accessTokenValidityMs, userContext } = refresh;
    const tokens = await this.issuer.createTokenPair(row, token, {
      parentRefreshTokenHash1: undefined, // the token is current already, so that its first use changes nothing
      antiCsrfToken,
      accessTokenValidityMs,
    });
    await emitRotation(this.parts, type, row, userContext);
    return { status: 'OK', ...tokens };
  }

  /** Ends the session, with a record for the other instances. A Core does so whichever way it reports the reuse. */
  private async endSession(
    row: SessionRow,
    recentTokenReuseSubtype: TokenReuseSubtype,
    { presented, userContext }: Refresh,
  ): Promise<RefreshSessionResult> {
    await this.parts.audit.theft(row, presented, userContext);
    const { handle, userId, recipeUserId } = await this.issuer.toCoreSession(row);
    await this.parts.revocations.byHandles([handle], { reason: 'token-theft' }, userContext);
    return {
      status: 'TOKEN_THEFT_DETECTED',
      session: { handle, userId, recipeUserId },
      recentTokenReuseSubtype,
    };
  }

  private sessionExpiryMs(limits: JsonObject, nowMs: number): number {
    return sessionExpiryMs(limits, nowMs, inMs(this.parts.config.refreshTokenValiditySec));
  }

  private get gracePeriodMs(): number {
    return inMs(this.parts.config.refreshTokenRotationGracePeriodSec ?? DEFAULT_GRACE_PERIOD_SEC);
  }
}

/** Returns the change that makes a new token current and the presented one previous. */
function rotation(
  { presented, useStaticKey }: Refresh,
  { hash2 }: NextToken,
  nowMs: number,
  expiresAtMs: number,
): SessionChange {
  return {
    refreshTokenHash2: hash2,
    prevRefreshTokenHash2: presented.hash2,
    rotatedAtMs: nowMs,
    expiresAtMs,
    useStaticKey,
  };
}
