import { accessTokenInfo, parseWithoutVerifying } from '../tokens/access-token.js';
import { PROTECTED_CLAIM_NAMES, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { readLifetime, type SessionLifetime } from '../options/feature-options.js';
import { type ConfigProblem, UnauthorisedError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import type { JsonObject } from '../util/json.js';
import {
  authenticatedAtMs,
  endOfSessionMs,
  idleLimitMs,
  LIFETIME_CLAIM_NAMES,
  LIFETIME_CLAIMS,
} from '../util/lifetime-claims.js';

/** How the sessions of one module are limited. */
export interface LifetimeSettings {
  /** The option `lifetime`; undefined where sessions have no limits of ours. */
  readonly lifetime: SessionLifetime | undefined;
  /** Whether something asks for the time of authentication. */
  readonly recordsAuthenticationTime: boolean;
}

/** What one sign-in says about its session. */
export interface SignInLimits {
  /** Laid over the module's option, one by one. */
  readonly lifetime?: SessionLifetime | undefined;
  /** Milliseconds since the epoch; default now. */
  readonly authenticatedAtMs?: number | undefined;
}

/**
 * The limits of sessions: which claims carry them, who may write these, and when a session is over. Without the
 * features that need it, it does nothing, and the names are as free as any other.
 */
export class SessionLifetimes {
  /** Payload names that the application can neither set nor remove. */
  readonly claimNames: readonly string[];

  constructor(
    private readonly settings: LifetimeSettings,
    private readonly clock: Clock,
  ) {
    const isOn = settings.lifetime !== undefined || settings.recordsAuthenticationTime;
    this.claimNames = isOn ? LIFETIME_CLAIM_NAMES : [];
  }

  /** Whether sessions carry the time of authentication. */
  get isOn(): boolean {
    return this.claimNames.length > 0;
  }

  /**
   * The payload of a new session, with its limits.
   *
   * @throws {TypeError} the sign-in asks for what the module's options do not provide for, or for a wrong value
   */
  payloadOfNewSession(payload: JsonObject, { lifetime, authenticatedAtMs }: SignInLimits): JsonObject {
    const now = this.clock.now();
    if (lifetime !== undefined) this.assertUsable(lifetime);
    if (!this.isOn) {
      if (authenticatedAtMs !== undefined) throw notRecorded();
      return payload;
    }
    const { absoluteSec, idleSec } = { ...this.settings.lifetime, ...definedLimits(lifetime) };
    return {
      ...this.withoutOwnClaims(payload),
      [LIFETIME_CLAIMS.authTime]: toSeconds(timeOfAuthentication(authenticatedAtMs, now)),
      ...(absoluteSec === undefined ? {} : { [LIFETIME_CLAIMS.expiry]: toSeconds(now) + absoluteSec }),
      ...(idleSec === undefined ? {} : { [LIFETIME_CLAIMS.idle]: idleSec }),
    };
  }

  /** The application's part of a payload, with the limits that the session has, whatever was given for them. */
  keepLimits(known: JsonObject, given: JsonObject): JsonObject {
    if (!this.isOn) return given;
    const limits = Object.entries(known).filter(([name]) => this.claimNames.includes(name));
    return { ...this.withoutOwnClaims(given), ...Object.fromEntries(limits) };
  }

  /**
   * The application's part of a payload after the user has proved who they are. The absolute end stays where it is.
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

  /** Whether the user has proved who they are since the token with this payload was made. */
  isOlderProof(payload: JsonObject, stored: JsonObject): boolean {
    const storedMs = this.isOn ? authenticatedAtMs(stored) : undefined;
    return storedMs !== undefined && storedMs > (authenticatedAtMs(payload) ?? 0);
  }

  /** What is stored, as far as the holder of an older token may make use of it. */
  payloadWithoutNewerProof(payload: JsonObject, stored: JsonObject): JsonObject {
    const ofToken = Object.entries(payload).filter(([name]) => PROTECTED_CLAIM_NAMES.includes(name));
    return { ...Object.fromEntries(ofToken), ...this.keepLimits(payload, stored) };
  }

  withoutOwnClaims(payload: JsonObject): JsonObject {
    if (!this.isOn) return payload;
    return Object.fromEntries(Object.entries(payload).filter(([name]) => !this.claimNames.includes(name)));
  }

  /** Whether the session with this payload has reached its absolute end, whatever its tokens say. */
  isOver(payload: JsonObject): boolean {
    const endMs = this.isOn ? endOfSessionMs(payload) : undefined;
    return endMs !== undefined && endMs <= this.clock.now();
  }

  /** @throws {UnauthorisedError} it {@link isOver} */
  assertNotOver(payload: JsonObject): void {
    if (this.isOver(payload)) throw new UnauthorisedError('The session has reached its absolute end');
  }

  /** When a refresh token that was made now expires at the latest, milliseconds since the epoch. */
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

/** An identity provider's clock may be a little ahead; what is in the future is now. */
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
