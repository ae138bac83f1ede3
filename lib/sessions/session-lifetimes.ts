import { accessTokenInfo, parseWithoutVerifying } from '../tokens/access-token.js';
import { PROTECTED_CLAIM_NAMES, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { readLifetime, type SessionLifetime } from '../options/feature-options.js';
import { type ConfigProblem, UnauthorisedError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { CONFIRMATION_CLAIM, confirmationClaim, type KeyConfirmation } from '../util/key-confirmation.js';
import { deepFreeze, type JsonObject } from '../util/json.js';
import {
  authenticatedAtMs,
  endOfSessionMs,
  idleLimitMs,
  LIFETIME_CLAIM_NAMES,
  LIFETIME_CLAIMS,
  mustAuthenticate,
  NEVER_AUTHENTICATED,
} from '../util/lifetime-claims.js';

/** The limits of the sessions of one module. */
export interface LifetimeSettings {
  /** The option `lifetime`; undefined if the module limits no sessions. */
  readonly lifetime: SessionLifetime | undefined;
  /** True if a claim or an option needs the time of authentication. */
  readonly recordsAuthenticationTime: boolean;
  /** True if sessions can be bound to a device. */
  readonly bindsDevices?: boolean;
}

/** The limits that one sign-in sets for its session. */
export interface SignInLimits {
  /** Each limit takes the place of that of the module's option. */
  readonly lifetime?: SessionLifetime | undefined;
  /** Milliseconds since the epoch; default now. */
  readonly authenticatedAtMs?: number | undefined;
  /** The key that the session is bound to. */
  readonly keyConfirmation?: KeyConfirmation | undefined;
  /** The sign-in at a provider, which the session is found by until its end; so it has one. */
  readonly provider?: object | undefined;
}

/** The absolute end of a session of a provider, if no limit sets another: the validity that an embedded core grants by default. */
const LONGEST_OF_PROVIDER_SEC = 100 * 24 * 60 * 60;

/**
 * The limits of sessions: the claims that carry them, the rules for writing those claims, and the end of a session. Without
 * an option that needs it, the class has no effect, and the names of the claims are free.
 */
export class SessionLifetimes {
  /** Payload names that the application can neither set nor remove. */
  readonly claimNames: readonly string[];
  /** True if sessions carry the time of authentication. */
  readonly isOn: boolean;

  private readonly ends = new WeakSet<object>();

  constructor(
    private readonly settings: LifetimeSettings,
    private readonly clock: Clock,
  ) {
    this.isOn = settings.lifetime !== undefined || settings.recordsAuthenticationTime;
    const ofBinding = settings.bindsDevices === true ? [CONFIRMATION_CLAIM] : [];
    this.claimNames = [...(this.isOn ? LIFETIME_CLAIM_NAMES : []), ...ofBinding];
  }

  /**
   * Returns the payload of a new session, with its limits.
   *
   * @throws {TypeError} the sign-in sets a limit that the module's options do not provide for, or a wrong value
   */
  payloadOfNewSession(
    given: JsonObject,
    { lifetime, authenticatedAtMs, keyConfirmation, provider }: SignInLimits,
  ): JsonObject {
    const now = this.clock.now();
    const payload = {
      ...this.withoutOwnClaims(given),
      ...(keyConfirmation === undefined ? {} : confirmationClaim(keyConfirmation)),
    };
    if (lifetime !== undefined) this.assertUsable(lifetime);
    if (!this.isOn) {
      if (authenticatedAtMs !== undefined) throw notRecorded();
      return payload;
    }
    const { absoluteSec = provider && LONGEST_OF_PROVIDER_SEC, idleSec } = {
      ...this.settings.lifetime,
      ...definedLimits(lifetime),
    };
    return {
      ...payload,
      [LIFETIME_CLAIMS.authTime]: toSeconds(timeOfAuthentication(authenticatedAtMs, now)),
      ...(absoluteSec === undefined ? {} : { [LIFETIME_CLAIMS.expiry]: toSeconds(now) + absoluteSec }),
      ...(idleSec === undefined ? {} : { [LIFETIME_CLAIMS.idle]: idleSec }),
    };
  }

  /** Returns the given payload with the limits of the known one in place of its own. */
  keepLimits(known: JsonObject, given: JsonObject): JsonObject {
    if (this.claimNames.length === 0) return given;
    const limits = Object.entries(known).filter(([name]) => this.claimNames.includes(name));
    return { ...this.withoutOwnClaims(given), ...Object.fromEntries(limits) };
  }

  /**
   * Returns the application's part of a payload after the user has proved who they are. The absolute end stays the same.
   *
   * @throws {Error} the module does not record the time of authentication
   */
  payloadAfterAuthentication(known: JsonObject): JsonObject {
    this.assertRecorded();
    return { ...withoutProtectedClaims(known), [LIFETIME_CLAIMS.authTime]: toSeconds(this.clock.now()) };
  }

  /** @throws {Error} the module does not record the time of authentication */
  assertRecorded(): void {
    if (!this.isOn) throw notRecorded();
  }

  /** Returns whether the user has proved who they are since the token with this payload was issued. */
  isOlderProof(payload: JsonObject, stored: JsonObject): boolean {
    const storedMs = this.isOn ? authenticatedAtMs(stored) : undefined;
    return storedMs !== undefined && storedMs > (authenticatedAtMs(payload) ?? 0);
  }

  /** Returns the stored payload for the holder of an older token: without the newer proof. */
  payloadWithoutNewerProof(payload: JsonObject, stored: JsonObject): JsonObject {
    const ofToken = Object.entries(payload).filter(([name]) => PROTECTED_CLAIM_NAMES.includes(name));
    const known = { ...Object.fromEntries(ofToken), ...this.keepLimits(payload, stored) };
    return this.payloadBesideStored(known, stored);
  }

  /** Returns the payload of a token as it counts beside the stored one, which may ask for a new authentication since. */
  payloadBesideStored(payload: JsonObject, stored: JsonObject): JsonObject {
    if (!this.isOn || !mustAuthenticate(stored) || mustAuthenticate(payload)) return payload;
    return deepFreeze({ ...payload, [LIFETIME_CLAIMS.authTime]: NEVER_AUTHENTICATED });
  }

  withoutOwnClaims(payload: JsonObject): JsonObject {
    if (this.claimNames.length === 0) return payload;
    return Object.fromEntries(Object.entries(payload).filter(([name]) => !this.claimNames.includes(name)));
  }

  /** Returns whether the session with this payload has reached its absolute end, even if its tokens are still valid. */
  isOver(payload: JsonObject): boolean {
    const endMs = this.isOn ? endOfSessionMs(payload) : undefined;
    return endMs !== undefined && endMs <= this.clock.now();
  }

  /** @throws {UnauthorisedError} it {@link isOver} */
  assertNotOver(payload: JsonObject): void {
    if (!this.isOver(payload)) return;
    const error = new UnauthorisedError('The session has reached its absolute end');
    this.noteEnd(error);
    throw error;
  }

  /** Notes that the request which gets this error has ended the session itself. */
  noteEnd(error: object): void {
    this.ends.add(error);
  }

  /** Returns whether the request that gets an error has ended the session itself. */
  isEnd(error: object): boolean {
    return this.ends.has(error);
  }

  /** Returns the latest expiry of a refresh token that is issued now, milliseconds since the epoch. */
  refreshTokenExpiryMs(payload: JsonObject, grantedMs: number): number {
    if (!this.isOn) return grantedMs;
    const idleMs = idleLimitMs(payload);
    const idleEndMs = idleMs === undefined ? grantedMs : this.clock.now() + idleMs;
    return Math.min(grantedMs, idleEndMs, endOfSessionMs(payload) ?? grantedMs);
  }

  private assertUsable(lifetime: SessionLifetime): void {
    const problems: ConfigProblem[] = [];
    if (this.settings.lifetime === undefined) {
      throw new TypeError(
        'createNewSession: lifetime needs the option lifetime of SessionModule; lifetime: {} sets no limit for the other sessions',
      );
    }
    readLifetime(lifetime, problems, 'lifetime.');
    const [problem] = problems;
    if (problem !== undefined) throw new TypeError(`createNewSession: ${problem.path}: ${problem.message}`);
  }
}

/** A time in the future becomes now, because the clock of an identity provider may be a little ahead. */
function timeOfAuthentication(authenticatedAtMs: number | undefined, nowMs: number): number {
  if (authenticatedAtMs === undefined) return nowMs;
  if (!Number.isFinite(authenticatedAtMs) || authenticatedAtMs < 0) {
    throw new TypeError('createNewSession: authenticatedAtMs must be milliseconds since the epoch');
  }
  return Math.min(authenticatedAtMs, nowMs);
}

function definedLimits(lifetime: SessionLifetime | undefined): SessionLifetime {
  return Object.fromEntries(Object.entries(lifetime ?? {}).filter(([, value]) => value !== undefined));
}

function toSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}

function notRecorded(): Error {
  return new Error(
    'The time of authentication is not recorded: put AuthenticationTimeClaim into the option claims of SessionModule, or set lifetime',
  );
}

/**
 * Returns when the access token that a session was verified with expires, or the session itself where that is earlier, in
 * milliseconds since the epoch. A token that the core put in its place does not count, because a connection does not hand it to its
 * client. The tokens of a SuperTokens Core may outlive the absolute end, which such a Core does not know.
 */
export function sessionEndTime(session: {
  getAccessToken(): string;
  getPresentedTokenExpiry(): number;
}): number {
  const parsed = parseWithoutVerifying(session.getAccessToken());
  if (parsed === undefined) return 0;
  const expiryMs = session.getPresentedTokenExpiry();
  return Math.min(expiryMs, endOfSessionMs(accessTokenInfo(parsed).payload) ?? expiryMs);
}
