import { randomUUID } from 'node:crypto';
import type { AccessTokenInfo } from '../../tokens/access-token.js';
import { findReservedClaim } from '../../tokens/access-token-claims.js';
import { CoreBadInputError } from '../../errors.js';
import type { Clock } from '../../util/clock.js';
import { userTag } from '../../util/handle-tag.js';
import { parseJsonObject, type JsonObject } from '../../util/json.js';
import { accessTokenExpiryMs, sessionExpiryMs } from '../../util/lifetime-claims.js';
import { assertTenantId } from '../../util/tenant-id.js';
import type {
  CoreSession,
  CoreSessionInformation,
  CoreSessionTokens,
  CreateSessionInput,
  TokenInfo,
} from '../core.types.js';
import type { AccessTokens } from './access-tokens.js';
import { inMs, type EmbeddedCoreConfig } from './embedded-core-config.js';
import { refreshTokenHash1, refreshTokenHash2, type RefreshTokens } from '../../tokens/refresh-token.js';
import { newSessionHandle } from './session-handle.js';
import { isStorableText, type SessionRow } from '../../stores/session-store.js';

/** The version of the access tokens in new pairs (CDI 4.0 and later). */
export const ACCESS_TOKEN_VERSION = 5;
const MAX_USER_ID_LENGTH = 128;

export interface SessionIssuerParts {
  readonly config: EmbeddedCoreConfig;
  readonly clock: Clock;
  readonly accessTokens: AccessTokens;
  /** Reads the store once. */
  refreshTokens(): Promise<RefreshTokens>;
  /** Returns the account that a login belongs to. */
  primaryUserIdOf(recipeUserId: string): Promise<string>;
}

/** A refresh token that is exchanged. */
export interface ParentToken {
  /** First hash of the token. */
  readonly hash1: string;
  readonly hasAntiCsrfToken: boolean;
}

/** The facts of a pair of tokens that its row does not hold. */
export interface PairContent {
  /** Stands in the access token until its first use; undefined where the refresh token is current already. */
  readonly parentRefreshTokenHash1: string | undefined;
  readonly antiCsrfToken: string | undefined;
  /** undefined: the core's own validity, shortened at random. */
  readonly accessTokenValidityMs: number | undefined;
}

/**
 * Makes rows and tokens. It writes no row, so a session exists only once its row is stored.
 *
 * @see docs/protocol/core.md B2, B3, B5
 */
export class SessionIssuer {
  /** @param tagsHandles whether handles carry the tag of their user */
  constructor(
    private readonly parts: SessionIssuerParts,
    private readonly tagsHandles = false,
  ) {}

  /** Makes a session's row and tokens; the row is inserted last, so that a failure leaves no session behind. */
  async newSession(input: CreateSessionInput): Promise<{ row: SessionRow; tokens: CoreSessionTokens }> {
    assertUsableIds(input);
    assertNoReservedClaim(input.userDataInJWT, ACCESS_TOKEN_VERSION);
    const { accessTokenValidityMs } = input;
    this.assertValidity(accessTokenValidityMs);
    const now = this.parts.clock.now();
    const content = {
      sessionHandle: newSessionHandle(
        input.tenantId,
        this.tagsHandles ? userTag(input.recipeUserId) : undefined,
      ),
      tenantId: input.tenantId,
      userId: input.recipeUserId,
      parentRefreshTokenHash1: undefined,
      antiCsrfToken: input.enableAntiCsrf ? randomUUID() : undefined,
    };
    const token = await (await this.parts.refreshTokens()).issue(content);
    const row: SessionRow = {
      tenantId: input.tenantId,
      sessionHandle: content.sessionHandle,
      userId: input.recipeUserId,
      refreshTokenHash2: refreshTokenHash2(token),
      sessionData: JSON.stringify(input.userDataInDatabase),
      accessTokenPayload: JSON.stringify(input.userDataInJWT),
      expiresAtMs: sessionExpiryMs(input.userDataInJWT, now, this.refreshTokenValidityMs),
      createdAtMs: now,
      useStaticKey: !input.useDynamicSigningKey,
      prevRefreshTokenHash2: undefined,
      rotatedAtMs: undefined,
    };
    return { row, tokens: await this.createTokenPair(row, token, { ...content, accessTokenValidityMs }) };
  }

  /** @throws {CoreBadInputError} the life of one access token is not within the core's own validity; it is never clamped */
  assertValidity(validityMs: number | undefined): void {
    const maxMs = inMs(this.parts.config.accessTokenValiditySec);
    if (
      validityMs === undefined ||
      (Number.isSafeInteger(validityMs) && validityMs > 0 && validityMs <= maxMs)
    )
      return;
    throw new CoreBadInputError(
      `accessTokenValidity must be a whole number of milliseconds, greater than 0 and at most ${maxMs}`,
    );
  }

  /**
   * Makes the one successor of a refresh token. Its content follows from its parent alone, so that instances which differ in
   * `antiCsrf` make the same one: an anti-CSRF token is sealed in it if one is sealed in its parent. The client is told that
   * one everywhere, because the next instance may ask for it.
   */
  async createChild(row: SessionRow, parent: ParentToken, enableAntiCsrf: boolean, sealer: RefreshTokens) {
    const { hasAntiCsrfToken, hash1 } = parent;
    const antiCsrfToken =
      enableAntiCsrf || hasAntiCsrfToken ? sealer.successorAntiCsrfToken(hash1) : undefined;
    const content = {
      sessionHandle: row.sessionHandle,
      tenantId: row.tenantId,
      userId: row.userId,
      parentRefreshTokenHash1: hash1,
    };
    const sealed = hasAntiCsrfToken ? antiCsrfToken : undefined;
    return {
      content: { ...content, antiCsrfToken },
      token: await sealer.issueSuccessor({ ...content, antiCsrfToken: sealed }),
    };
  }

  /** Makes the access token of a row, and returns it with the refresh token that is made already. */
  async createTokenPair(
    row: SessionRow,
    refreshToken: string,
    content: PairContent,
  ): Promise<CoreSessionTokens> {
    const { accessTokens, clock } = this.parts;
    const now = clock.now();
    const session = await this.toCoreSession(row);
    const accessToken = await accessTokens.issue(
      {
        version: ACCESS_TOKEN_VERSION,
        userId: session.userId,
        recipeUserId: session.recipeUserId,
        tenantId: row.tenantId,
        sessionHandle: row.sessionHandle,
        refreshTokenHash1: refreshTokenHash1(refreshToken),
        parentRefreshTokenHash1: content.parentRefreshTokenHash1,
        antiCsrfToken: content.antiCsrfToken,
        expiryMs: accessTokenExpiryMs(
          session.userDataInJWT,
          now,
          content.accessTokenValidityMs ?? this.jitteredValidityMs(),
        ),
        timeCreatedMs: now,
        userPayload: session.userDataInJWT,
      },
      row.useStaticKey,
    );
    return {
      session,
      accessToken,
      refreshToken: {
        token: refreshToken,
        expiry: sessionExpiryMs(session.userDataInJWT, now, this.refreshTokenValidityMs),
        createdTime: now,
      },
      antiCsrfToken: content.antiCsrfToken,
    };
  }

  /** Makes an access token of the same version and lineage as the presented one, with the payload that is stored now. */
  async reissue(
    info: AccessTokenInfo,
    row: SessionRow,
    session: CoreSession,
    change: { expiryMs: number; parentRefreshTokenHash1: string | undefined },
  ): Promise<TokenInfo> {
    const version = knownVersion(info.version);
    // Up to version 2 the payload is nested, so its names collide with no claim of ours.
    if (version > 2) assertNoReservedClaim(session.userDataInJWT, version);
    return this.parts.accessTokens.issue(
      {
        version,
        userId: session.userId,
        recipeUserId: session.recipeUserId,
        tenantId: row.tenantId,
        sessionHandle: row.sessionHandle,
        refreshTokenHash1: info.refreshTokenHash1,
        antiCsrfToken: info.antiCsrfToken,
        timeCreatedMs: this.parts.clock.now(),
        userPayload: session.userDataInJWT,
        ...change,
      },
      row.useStaticKey,
    );
  }

  /** Returns a row as callers see it: with the account that its login belongs to now. */
  async toCoreSession(row: SessionRow): Promise<CoreSession> {
    return {
      handle: row.sessionHandle,
      userId: await this.parts.primaryUserIdOf(row.userId),
      recipeUserId: row.userId,
      tenantId: row.tenantId,
      userDataInJWT: storedObject(row.accessTokenPayload),
    };
  }

  /** Returns the stored facts of a row. */
  async toInformation(row: SessionRow): Promise<CoreSessionInformation> {
    const { userId, recipeUserId, userDataInJWT } = await this.toCoreSession(row);
    return {
      sessionHandle: row.sessionHandle,
      userId,
      recipeUserId,
      tenantId: row.tenantId,
      userDataInDatabase: storedObject(row.sessionData),
      userDataInJWT,
      expiry: row.expiresAtMs,
      timeCreated: row.createdAtMs,
    };
  }

  private jitteredValidityMs(): number {
    const { accessTokenValiditySec, accessTokenValidityJitter } = this.parts.config;
    return inMs(accessTokenValiditySec) * (1 - accessTokenValidityJitter * Math.random());
  }

  private get refreshTokenValidityMs(): number {
    return inMs(this.parts.config.refreshTokenValiditySec);
  }
}

/** @throws {CoreBadInputError} the payload has a reserved claim; the message names it */
export function assertNoReservedClaim(payload: JsonObject, version: number): void {
  const name = findReservedClaim(payload, version);
  if (name !== undefined) throw new CoreBadInputError(protectedField(name));
}

/** Returns the message about a payload with a reserved claim. */
export function protectedField(name: string): string {
  return `The user payload contains protected field: "${name}" belongs to the session itself`;
}

/** Returns the session as an access token describes it, without a read of the store. */
export function sessionFromToken(info: AccessTokenInfo): CoreSession {
  return {
    handle: info.sessionHandle,
    userId: info.userId,
    recipeUserId: info.recipeUserId,
    tenantId: info.tenantId,
    userDataInJWT: applicationPayload(info),
  };
}

/** Returns the application's part of a token's payload. */
export function applicationPayload({ version, payload }: AccessTokenInfo): JsonObject {
  return Object.fromEntries(
    Object.entries(payload).filter(
      ([name]) => version <= 2 || findReservedClaim({ [name]: null }, version) === undefined,
    ),
  );
}

/** Parses a column of JSON text. @throws {Error} it holds no JSON object */
export function storedObject(text: string): JsonObject {
  const value = parseJsonObject(text);
  if (value === undefined) throw new Error('The store returned a payload that is no JSON object');
  return value;
}

function assertUsableIds({ tenantId, recipeUserId }: CreateSessionInput): void {
  assertTenantId(tenantId);
  if (recipeUserId === '' || recipeUserId.length > MAX_USER_ID_LENGTH || !isStorableText(recipeUserId)) {
    throw new CoreBadInputError(
      `The user id must be 1 to ${MAX_USER_ID_LENGTH} characters without NUL or half surrogate pairs`,
    );
  }
}

/** Returns the version to write: later versions are read like 5, and written as 5. */
function knownVersion(version: number): 2 | 3 | 4 | 5 {
  return version === 2 || version === 3 || version === 4 ? version : ACCESS_TOKEN_VERSION;
}
