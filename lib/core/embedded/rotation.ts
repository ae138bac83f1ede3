import type { AccessTokenInfo } from '../../tokens/access-token.js';
import { findReservedClaim } from '../../tokens/access-token-claims.js';
import { CoreUnavailableError } from '../../errors.js';
import { shortHandle } from '../../events/short-handle.js';
import { safeEqual } from '../../util/safe-equal.js';
import { jsonEquals, type JsonObject } from '../../util/json.js';
import { accessTokenExpiryMs, sessionExpiryMs } from '../../util/lifetime-claims.js';
import type { UserContext } from '../../util/user-context.js';
import type {
  RefreshSessionInput,
  RefreshSessionResult,
  VerifySessionInput,
  VerifySessionResult,
} from '../core.types.js';
import { inMs } from './embedded-core-config.js';
import { decideRefresh, decideVerify } from './refresh-rotation.js';
import { refreshTokenHash1, refreshTokenHash2 } from '../../tokens/refresh-token.js';
import { RotationAtOnce } from './rotation-at-once.js';
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
import type { SessionCondition, SessionChange, SessionKey, SessionRow } from '../../stores/session-store.js';

/** The number of promotions in a row that another instance can win before a refresh gives up. */
const MAX_REFRESH_ATTEMPTS = 8;

/** The facts of one promotion. */
interface Promotion {
  readonly fromHash2: string;
  readonly toHash2: string;
  /** undefined leaves the kind of key as it is. */
  readonly useStaticKey: boolean | undefined;
  readonly expiresAtMs: number;
  readonly nowMs: number;
}

/**
 * Verifies access tokens and exchanges refresh tokens. Both prove the token, compare it with the row, and may make a
 * refresh token the current one.
 *
 * @see docs/protocol/core.md B6-B8
 */
export class Rotation {
  private readonly atOnce: RotationAtOnce;

  constructor(
    private readonly parts: RotationParts,
    private readonly issuer: SessionIssuer,
  ) {
    this.atOnce = new RotationAtOnce(parts, issuer);
  }

  async verify(
    input: VerifySessionInput,
    userContext: UserContext | undefined,
  ): Promise<VerifySessionResult> {
    const proof = await this.parts.accessTokens.prove(input.accessToken);
    if (!proof.isProven) return tryRefresh(proof.message);
    const { info } = proof;
    if (info.expiryMs < this.now()) return tryRefresh('Access token expired');
    if (input.doAntiCsrfCheck && input.enableAntiCsrf) {
      if (info.antiCsrfToken === undefined) {
        return tryRefresh(
          'Access token does not contain all the information. Maybe the structure has changed?',
        );
      }
      if (!safeEqual(info.antiCsrfToken, input.antiCsrfToken)) {
        return tryRefresh('anti-csrf check failed');
      }
    }
    const isAtOnce = input.rotation === 'at-once';
    if (!input.checkDatabase && (isAtOnce || info.parentRefreshTokenHash1 === undefined)) {
      return { status: 'OK', session: sessionFromToken(info) };
    }
    if (isAtOnce) return this.atOnce.verifyAgainstStore(info);
    return this.verifyAgainstStore(info, input.checkDatabase, userContext);
  }

  async refresh(
    input: RefreshSessionInput,
    userContext: UserContext | undefined,
  ): Promise<RefreshSessionResult> {
    this.issuer.assertValidity(input.accessTokenValidityMs);
    const sealer = await this.parts.refreshTokens();
    const content = await sealer.open(input.refreshToken);
    if (content === undefined) return unauthorised('The refresh token is not one of ours');
    const key = parseSessionHandle(content.sessionHandle);
    if (key === undefined || key.tenantId !== content.tenantId) return unauthorised(SESSION_GONE);
    if (
      input.enableAntiCsrf &&
      content.antiCsrfToken !== undefined &&
      !safeEqual(content.antiCsrfToken, input.antiCsrfToken)
    ) {
      return unauthorised('Anti CSRF token missing, or not matching');
    }
    const presentedHash1 = refreshTokenHash1(input.refreshToken);
    const { parentRefreshTokenHash1 } = content;
    const refresh: Refresh = {
      recipeUserId: content.userId,
      key,
      presented: { hash2: refreshTokenHash1(presentedHash1), parentRefreshTokenHash1 },
      parent: { hash1: presentedHash1, hasAntiCsrfToken: content.antiCsrfToken !== undefined },
      sealer,
      enableAntiCsrf: input.enableAntiCsrf,
      useStaticKey: !input.useDynamicSigningKey,
      accessTokenValidityMs: input.accessTokenValidityMs,
      userContext,
    };
    return input.rotation === 'at-once' ? this.atOnce.exchange(refresh) : this.exchange(refresh);
  }

  /** Makes the presented token current where that is due, and issues its child. */
  private async exchange(refresh: Refresh): Promise<RefreshSessionResult> {
    const { key, presented, useStaticKey, userContext } = refresh;
    let row = await this.findForRefresh(refresh);
    for (let attempt = 0; attempt < MAX_REFRESH_ATTEMPTS; attempt++) {
      const decision = decideRefresh(row, presented, this.now(), this.gracePeriodMs);
      if (row === undefined || decision === 'UNKNOWN_SESSION') return unauthorised(SESSION_GONE);
      if (decision === 'THEFT') return this.theftResult(row, refresh);
      if (decision !== 'PROMOTE') return this.issueChild(refresh, row, decision);
      const hashes = { fromHash2: row.refreshTokenHash2, toHash2: presented.hash2 };
      const limits = storedObject(row.accessTokenPayload);
      const promoted = await this.promote(key, { ...hashes, useStaticKey }, limits, userContext);
      row = promoted ?? (await this.parts.store.findSession(key));
    }
    throw new CoreUnavailableError(
      `Session ${shortHandle(key.sessionHandle)}: the refresh token changed under ${MAX_REFRESH_ATTEMPTS} attempts in a row`,
    );
  }

  private async issueChild(
    refresh: Refresh,
    row: SessionRow,
    decision: 'ISSUE_CHILD' | 'REPEAT_CHILD',
  ): Promise<RefreshSessionResult> {
    const { key, parent, sealer, enableAntiCsrf, useStaticKey, userContext } = refresh;
    const reserved = findReservedClaim(storedObject(row.accessTokenPayload), ACCESS_TOKEN_VERSION);
    if (reserved !== undefined) return unauthorised(protectedField(reserved));
    const child = await this.issuer.createChild(row, parent, enableAntiCsrf, sealer);
    // Within the grace period only the successor that is current may be issued again.
    if (decision === 'REPEAT_CHILD' && refreshTokenHash2(child.token) !== row.refreshTokenHash2) {
      return this.theftResult(row, refresh);
    }
    if (row.useStaticKey !== useStaticKey) await this.parts.store.update(key, {}, { useStaticKey });
    const details = { ...child.content, accessTokenValidityMs: refresh.accessTokenValidityMs };
    const tokens = await this.issuer.createTokenPair({ ...row, useStaticKey }, child.token, details);
    if (decision === 'REPEAT_CHILD') await this.emit('session.grace-hit', row, userContext);
    return { status: 'OK', ...tokens };
  }

  private async verifyAgainstStore(
    info: AccessTokenInfo,
    checkDatabase: boolean,
    userContext: UserContext | undefined,
  ): Promise<VerifySessionResult> {
    const key = parseSessionHandle(info.sessionHandle);
    if (key === undefined || key.tenantId !== info.tenantId) return unauthorised('Session missing in db');
    const promoted = await this.promoteAtFirstUse(key, info, userContext);
    const row = promoted ?? (await this.parts.store.findSession(key));
    const isPayloadChanged =
      checkDatabase &&
      row !== undefined &&
      !jsonEquals(storedObject(row.accessTokenPayload), applicationPayload(info));
    const decision = promoted ? 'REPLACE_TOKEN' : decideVerify(row, info, this.now(), isPayloadChanged);
    if (row === undefined || decision === 'MISSING') {
      const message = checkDatabase
        ? 'Either the session has ended or has been blacklisted'
        : 'Session missing in db';
      return sessionMissing(row, message);
    }
    // PROMOTE: the parent became current after the attempt to promote. The next use promotes, and the token stays.
    if (decision !== 'REPLACE_TOKEN') return { status: 'OK', session: sessionFromToken(info) };
    const session = await this.issuer.toCoreSession(row);
    const expiryMs = accessTokenExpiryMs(session.userDataInJWT, this.now(), this.validityOf(info));
    // Only a promotion gives new time, and a refresh leads to one at most. Otherwise the holder of a copied access token could
    // exchange it for another one, without a refresh, for as long as the session lives.
    const latestMs = promoted ? row.expiresAtMs : Math.min(info.expiryMs, row.expiresAtMs);
    const accessToken = await this.issuer.reissue(info, row, session, {
      expiryMs: Math.min(expiryMs, latestMs),
      parentRefreshTokenHash1: undefined,
    });
    return { status: 'OK', session, accessToken };
  }

  /** Promotes with one statement on the happy path, without a read before it. */
  private async promoteAtFirstUse(
    key: SessionKey,
    { parentRefreshTokenHash1, refreshTokenHash1: hash1, payload }: AccessTokenInfo,
    userContext: UserContext | undefined,
  ): Promise<SessionRow | undefined> {
    if (parentRefreshTokenHash1 === undefined) return undefined;
    const hashes = {
      fromHash2: refreshTokenHash1(parentRefreshTokenHash1),
      toHash2: refreshTokenHash1(hash1),
    };
    return this.promote(key, { ...hashes, useStaticKey: undefined }, payload, userContext);
  }

  /** Finds the session of a current refresh token, or of an unused child, which becomes current with the same call. */
  private async findForRefresh(refresh: Refresh): Promise<SessionRow | undefined> {
    const { key, presented, useStaticKey, userContext } = refresh;
    const { parentRefreshTokenHash1 } = presented;
    if (parentRefreshTokenHash1 === undefined) return this.parts.store.findSession(key);
    const nowMs = this.now();
    const update = promotionUpdate({
      fromHash2: refreshTokenHash1(parentRefreshTokenHash1),
      toHash2: presented.hash2,
      useStaticKey,
      expiresAtMs: nowMs + this.refreshTokenValidityMs,
      nowMs,
    });
    const { row, isUpdated } = await this.parts.store.findAndUpdate(key, {
      where: update.where,
      change: this.parts.audit.promotion(update.change, userContext),
      unlessMentioned: NAMES_OF_LIMITS,
    });
    if (row !== undefined && isUpdated) await this.emit('session.promoted', row, userContext);
    return row;
  }

  /** @param limits a payload of the session; its claims about the session's limits never change */
  private async promote(
    key: SessionKey,
    promotion: Pick<Promotion, 'fromHash2' | 'toHash2' | 'useStaticKey'>,
    limits: JsonObject,
    userContext: UserContext | undefined,
  ): Promise<SessionRow | undefined> {
    const nowMs = this.now();
    const expiresAtMs = sessionExpiryMs(limits, nowMs, this.refreshTokenValidityMs);
    const { where, change } = promotionUpdate({ ...promotion, expiresAtMs, nowMs });
    const row = await this.parts.store.update(key, where, this.parts.audit.promotion(change, userContext));
    if (row) await this.emit('session.promoted', row, userContext);
    return row;
  }

  private async theftResult(
    row: SessionRow,
    { presented, userContext }: Refresh,
  ): Promise<RefreshSessionResult> {
    await this.parts.audit.theft(row, presented, userContext);
    const { handle, userId, recipeUserId } = await this.issuer.toCoreSession(row);
    return { status: 'TOKEN_THEFT_DETECTED', session: { handle, userId, recipeUserId } };
  }

  private async emit(
    type: 'session.promoted' | 'session.grace-hit',
    row: SessionRow,
    userContext: UserContext | undefined,
  ): Promise<void> {
    return emitRotation(this.parts, type, row, userContext);
  }

  /**
   * Returns the life of the replacement of an access token: the core's own validity, unless the token was made for a shorter one
   * than the jitter explains.
   */
  private validityOf({ expiryMs, timeCreatedMs }: AccessTokenInfo): number {
    const { accessTokenValiditySec, accessTokenValidityJitter } = this.parts.config;
    const validityMs = inMs(accessTokenValiditySec);
    const lifeMs = expiryMs - timeCreatedMs;
    // Both times of a token are whole seconds, so that their difference may be a second too short.
    return lifeMs + 1000 < validityMs * (1 - accessTokenValidityJitter) ? lifeMs : validityMs;
  }

  private now(): number {
    return this.parts.clock.now();
  }

  private get refreshTokenValidityMs(): number {
    return inMs(this.parts.config.refreshTokenValiditySec);
  }

  private get gracePeriodMs(): number {
    return inMs(this.parts.config.refreshTokenRotationGracePeriodSec ?? 0);
  }
}

/**
 * Returns the update that makes the child of a current refresh token the current one, as long as the row is live.
 *
 * @see docs/protocol/core.md B7
 */
function promotionUpdate({ fromHash2, toHash2, useStaticKey, expiresAtMs, nowMs }: Promotion): {
  where: SessionCondition;
  change: SessionChange;
} {
  return {
    where: { refreshTokenHash2: fromHash2, minExpiresAtMs: nowMs },
    change: {
      refreshTokenHash2: toHash2,
      prevRefreshTokenHash2: fromHash2,
      rotatedAtMs: nowMs,
      expiresAtMs,
      ...(useStaticKey === undefined ? {} : { useStaticKey }),
    },
  };
}

function tryRefresh(message: string): { status: 'TRY_REFRESH_TOKEN'; message: string } {
  return { status: 'TRY_REFRESH_TOKEN', message };
}
