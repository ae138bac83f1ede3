import type { AccessTokenInfo } from '../../tokens/access-token.js';
import { findReservedClaim } from '../../tokens/reserved-claims.js';
import { CoreUnavailableError } from '../../errors.js';
import { toEventSource, type SessionEvents } from '../../events/session-events.js';
import { shortHandle } from '../../events/printable.js';
import { safeEqual } from '../../util/safe-equal.js';
import { jsonEquals, type JsonObject } from '../../util/json.js';
import { accessTokenExpiryMs, LIFETIME_CLAIMS, sessionExpiryMs } from '../../util/lifetime-claims.js';
import type { UserContext } from '../../util/user-context.js';
import type {
  RefreshSessionInput,
  RefreshSessionResult,
  VerifySessionInput,
  VerifySessionResult,
} from '../core.types.js';
import { inMs } from './embedded-core-config.js';
import { decideRefresh, decideVerify, type PresentedRefreshToken } from './refresh-rotation.js';
import { refreshTokenHash1, refreshTokenHash2 } from '../../tokens/refresh-token.js';
import { parseSessionHandle } from './session-handle.js';
import {
  ACCESS_TOKEN_VERSION,
  applicationPayload,
  protectedField,
  sessionFromToken,
  storedObject,
  type SessionIssuer,
  type SessionIssuerParts,
} from './session-issuer.js';
import type {
  SessionCondition,
  SessionChange,
  SessionKey,
  SessionRow,
  SessionStore,
} from '../../stores/session-store.js';

/** Another instance can win a promotion a few times in a row, not for ever. */
const MAX_REFRESH_ATTEMPTS = 8;

/** A session whose payload has one of these ends sooner than the core's own validity says. */
const NAMES_OF_LIMITS = [LIFETIME_CLAIMS.expiry, LIFETIME_CLAIMS.idle];

const SESSION_GONE = 'Session missing in db or has expired';

/** What a rotation works with. */
export interface RotationParts extends SessionIssuerParts {
  readonly store: SessionStore;
  readonly events: SessionEvents;
}

/**
 * What happens when a token is presented: it is proven, judged by the row, and may make a refresh token the current one.
 *
 * @see docs/protocol/core.md B6-B8
 */
export class Rotation {
  constructor(
    private readonly parts: RotationParts,
    private readonly issuer: SessionIssuer,
  ) {}

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
    if (!input.checkDatabase && info.parentRefreshTokenHash1 === undefined) {
      return { status: 'OK', session: sessionFromToken(info) };
    }
    return this.verifyAgainstStore(info, input.checkDatabase, userContext);
  }

  async refresh(
    input: RefreshSessionInput,
    userContext: UserContext | undefined,
  ): Promise<RefreshSessionResult> {
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
    const presented = {
      hash2: refreshTokenHash1(presentedHash1),
      parentRefreshTokenHash1: content.parentRefreshTokenHash1,
    };
    const useStaticKey = !input.useDynamicSigningKey;
    let row = await this.findForRefresh(key, presented, { useStaticKey, userContext });
    for (let attempt = 0; attempt < MAX_REFRESH_ATTEMPTS; attempt++) {
      const decision = decideRefresh(row, presented, this.now(), this.gracePeriodMs);
      if (row === undefined || decision === 'UNKNOWN_SESSION') return unauthorised(SESSION_GONE);
      if (decision === 'THEFT') return this.theftResult(row);
      if (decision === 'PROMOTE') {
        const limits = storedObject(row.accessTokenPayload);
        row =
          (await this.promote(row, presented, { useStaticKey, limits, userContext })) ??
          (await this.parts.store.findSession(key));
        continue;
      }
      const reserved = findReservedClaim(storedObject(row.accessTokenPayload), ACCESS_TOKEN_VERSION);
      if (reserved !== undefined) return unauthorised(protectedField(reserved));
      const child = await this.issuer.createChild(row, presentedHash1, input.enableAntiCsrf, sealer);
      // Within the grace period only the very successor that is in use may be handed out again.
      if (decision === 'REPEAT_CHILD' && refreshTokenHash2(child.token) !== row.refreshTokenHash2) {
        return this.theftResult(row);
      }
      if (row.useStaticKey !== useStaticKey) await this.parts.store.update(key, {}, { useStaticKey });
      const tokens = await this.issuer.createTokenPair({ ...row, useStaticKey }, child.token, child.content);
      if (decision === 'REPEAT_CHILD') await this.emit('session.grace-hit', row, userContext);
      return { status: 'OK', ...tokens };
    }
    throw new CoreUnavailableError(
      `Session ${shortHandle(key.sessionHandle)}: the refresh token changed under ${MAX_REFRESH_ATTEMPTS} attempts in a row`,
    );
  }

  private async verifyAgainstStore(
    info: AccessTokenInfo,
    checkDatabase: boolean,
    userContext: UserContext | undefined,
  ): Promise<VerifySessionResult> {
    const key = parseSessionHandle(info.sessionHandle);
    if (key === undefined || key.tenantId !== info.tenantId) return unauthorised('Session missing in db');
    const { parentRefreshTokenHash1 } = info;
    // One statement on the happy path: the first use of a refreshed token is a promotion.
    const promoted =
      parentRefreshTokenHash1 === undefined
        ? undefined
        : await this.promote(
            { ...key, refreshTokenHash2: refreshTokenHash1(parentRefreshTokenHash1) },
            { hash2: refreshTokenHash1(info.refreshTokenHash1) },
            { useStaticKey: undefined, limits: info.payload, userContext },
          );
    const row = promoted ?? (await this.parts.store.findSession(key));
    const isPayloadChanged =
      checkDatabase &&
      row !== undefined &&
      !jsonEquals(storedObject(row.accessTokenPayload), applicationPayload(info));
    const decision = promoted ? 'REPLACE_TOKEN' : decideVerify(row, info, this.now(), isPayloadChanged);
    if (row === undefined || decision === 'MISSING') {
      return unauthorised(
        checkDatabase ? 'Either the session has ended or has been blacklisted' : 'Session missing in db',
      );
    }
    if (decision === 'KEEP_TOKEN') return { status: 'OK', session: sessionFromToken(info) };
    if (decision === 'PROMOTE') {
      // Between the attempt and the look the parent became current: the next use promotes. The token stands.
      return { status: 'OK', session: sessionFromToken(info) };
    }
    const session = await this.issuer.toCoreSession(row);
    const validityMs = inMs(this.parts.config.accessTokenValiditySec);
    const expiryMs = accessTokenExpiryMs(session.userDataInJWT, this.now(), validityMs);
    const accessToken = await this.issuer.reissue(info, row, session, {
      expiryMs: Math.min(expiryMs, row.expiresAtMs), // a changed payload is no refresh: the end stays where it is
      parentRefreshTokenHash1: undefined,
    });
    return { status: 'OK', session, accessToken };
  }

  /**
   * One statement for both kinds of refresh: the session of a current token, and that of an unused child, which becomes
   * current on the way.
   */
  private async findForRefresh(
    key: SessionKey,
    presented: PresentedRefreshToken,
    { useStaticKey, userContext }: { useStaticKey: boolean; userContext: UserContext | undefined },
  ): Promise<SessionRow | undefined> {
    const { parentRefreshTokenHash1 } = presented;
    if (parentRefreshTokenHash1 === undefined) return this.parts.store.findSession(key);
    const nowMs = this.now();
    const { row, isUpdated } = await this.parts.store.findAndUpdate(key, {
      ...promotion({
        fromHash2: refreshTokenHash1(parentRefreshTokenHash1),
        toHash2: presented.hash2,
        expiresAtMs: nowMs + this.refreshTokenValidityMs,
        useStaticKey,
        nowMs,
      }),
      unlessMentioned: NAMES_OF_LIMITS,
    });
    if (row !== undefined && isUpdated) await this.emit('session.promoted', row, userContext);
    return row;
  }

  /** `limits`: a payload of the session; what it says of the session's limits never changes. */
  private async promote(
    from: SessionKey & Pick<SessionRow, 'refreshTokenHash2'>,
    to: { hash2: string },
    {
      useStaticKey,
      limits,
      userContext,
    }: {
      useStaticKey: boolean | undefined;
      limits: JsonObject;
      userContext: UserContext | undefined;
    },
  ): Promise<SessionRow | undefined> {
    const nowMs = this.now();
    const { where, change } = promotion({
      fromHash2: from.refreshTokenHash2,
      toHash2: to.hash2,
      expiresAtMs: sessionExpiryMs(limits, nowMs, this.refreshTokenValidityMs),
      useStaticKey,
      nowMs,
    });
    const row = await this.parts.store.update(from, where, change);
    if (row) await this.emit('session.promoted', row, userContext);
    return row;
  }

  private async theftResult(row: SessionRow): Promise<RefreshSessionResult> {
    const { handle, userId, recipeUserId } = await this.issuer.toCoreSession(row);
    return { status: 'TOKEN_THEFT_DETECTED', session: { handle, userId, recipeUserId } };
  }

  private async emit(
    type: 'session.promoted' | 'session.grace-hit',
    { sessionHandle, userId: recipeUserId, tenantId }: SessionRow,
    userContext: UserContext | undefined,
  ): Promise<void> {
    const timeMs = this.now();
    // It has happened, also when the application cannot say whose account that is: the request fails of it later on.
    const userId = await this.parts.primaryUserIdOf(recipeUserId).catch(() => recipeUserId);
    const source = toEventSource(userContext);
    this.parts.events.emit({ type, timeMs, sessionHandle, userId, recipeUserId, tenantId, ...source });
  }

  private now(): number {
    return this.parts.clock.now();
  }

  private get refreshTokenValidityMs(): number {
    return inMs(this.parts.config.refreshTokenValiditySec);
  }

  private get gracePeriodMs(): number {
    return inMs(this.parts.config.refreshTokenRotationGracePeriodSec);
  }
}

/**
 * Returns the update that makes the child of a current refresh token the current one, as long as the row is live.
 *
 * @see docs/protocol/core.md B7
 */
function promotion(input: {
  fromHash2: string;
  toHash2: string;
  expiresAtMs: number;
  /** undefined leaves the kind of key as it is. */
  useStaticKey: boolean | undefined;
  nowMs: number;
}): { where: SessionCondition; change: SessionChange } {
  const { fromHash2, toHash2, expiresAtMs, useStaticKey, nowMs } = input;
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

/** The session is over, or never was. */
export function unauthorised(message: string): { status: 'UNAUTHORISED'; message: string } {
  return { status: 'UNAUTHORISED', message };
}

function tryRefresh(message: string): { status: 'TRY_REFRESH_TOKEN'; message: string } {
  return { status: 'TRY_REFRESH_TOKEN', message };
}
