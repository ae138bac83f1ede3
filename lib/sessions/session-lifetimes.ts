import { asksForAuthenticationTime } from '../claims/authentication-time-claim.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import { accessTokenInfo, parseWithoutVerifying } from '../tokens/access-token.js';
import { PROTECTED_CLAIM_NAMES, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { readLifetime, type SessionLifetime } from '../options/feature-options.js';
import { InvalidClaimsError, UnauthorisedError } from '../errors.js';
import type { ConfigProblem } from '../options/config-error.js';
import type { NewDelegation } from '../delegation/delegations.js';
import type { Clock } from '../util/clock.js';
import { ACTOR_CLAIM, isDelegated, PARENT_CLAIM } from '../util/delegation-claims.js';
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
import { OccasionalWarning } from '../util/occasional-warning.js';

const NO_PROOF = { message: 'a session that somebody else holds takes no proof of its user' };

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
  /** The claims of a session that belongs to another one. */
  readonly delegation?: NewDelegation | undefined;
}

/** Names that no payload can set, in every application: sessions that end with another one carry them. */
const DELEGATION_NAMES = [ACTOR_CLAIM, PARENT_CLAIM, LIFETIME_CLAIMS.expiry];

/** The absolute end of a session of a provider, if no limit sets another: the validity that an embedded core grants by default. */
const LONGEST_OF_PROVIDER_SEC = 100 * 24 * 60 * 60;

/**
 * The limits of sessions: the claims that carry them, the rules for writing those claims, and the end of a session. Without
 * an option that needs it, only sessions that end with another one have limits, and `auth_time` and `session_idle` are free names.
 */
export class SessionLifetimes {
  /** Payload names that the application can neither set nor remove. */
  readonly claimNames: readonly string[];
  /** True if sessions carry the time of authentication. */
  readonly isOn: boolean;
  /** True if the stored limits of a session may be newer than those that its token names. */
  readonly mayChange: boolean;

  private readonly ends = new WeakSet<object>();
  private readonly unrecorded: OccasionalWarning;

  constructor(
    private readonly settings: LifetimeSettings,
    private readonly clock: Clock,
  ) {
    this.unrecorded = new OccasionalWarning(clock);
    this.isOn = settings.lifetime !== undefined || settings.recordsAuthenticationTime;
    this.mayChange = this.isOn || settings.bindsDevices === true;
    const ofBinding = settings.bindsDevices === true ? [CONFIRMATION_CLAIM] : [];
    const ofLimits = this.isOn ? LIFETIME_CLAIM_NAMES : [];
    this.claimNames = [...new Set([...DELEGATION_NAMES, ...ofLimits, ...ofBinding])];
  }

  /**
   * Returns the payload of a new session, with its limits.
   *
   * @throws {TypeError} the sign-in sets a limit that the module's options do not provide for, or a wrong value
   */
  payloadOfNewSession(
    given: JsonObject,
    { lifetime, authenticatedAtMs, keyConfirmation, provider, delegation }: SignInLimits,
  ): JsonObject {
    const now = this.clock.now();
    const payload = {
      ...this.withoutOwnClaims(given),
      ...(keyConfirmation === undefined ? {} : confirmationClaim(keyConfirmation)),
      ...delegation?.claims,
    };
    const parentSec = delegation?.endsAtMs && toSeconds(delegation.endsAtMs);
    if (lifetime !== undefined) this.assertUsable(lifetime);
    if (!this.isOn) {
      if (authenticatedAtMs !== undefined) throw notRecorded();
      return { ...payload, ...earliest(LIFETIME_CLAIMS.expiry, [parentSec]) };
    }
    const { absoluteSec = provider && LONGEST_OF_PROVIDER_SEC, idleSec } = {
      ...this.settings.lifetime,
      ...definedLimits(lifetime),
    };
    const proofMs = isDelegated(payload) ? NEVER_AUTHENTICATED : timeOfAuthentication(authenticatedAtMs, now);
    return {
      ...payload,
      [LIFETIME_CLAIMS.authTime]: toSeconds(proofMs),
      ...earliest(LIFETIME_CLAIMS.expiry, [absoluteSec && toSeconds(now) + absoluteSec, parentSec]),
      ...earliest(LIFETIME_CLAIMS.idle, [idleSec, delegation?.idleSec]),
    };
  }

  /** Returns the given payload with the limits of the known one in place of its own. */
  keepLimits(known: JsonObject, given: JsonObject): JsonObject {
    const limits = Object.entries(known).filter(([name]) => this.claimNames.includes(name));
    return { ...this.withoutOwnClaims(given), ...Object.fromEntries(limits) };
  }

  /**
   * Returns the application's part of a payload after the user has proved who they are. The absolute end stays the same.
   *
   * @throws {Error} the module does not record the time of authentication
   * @throws {InvalidClaimsError} somebody else than the user holds the session
   */
  payloadAfterAuthentication(known: JsonObject): JsonObject {
    this.assertRecorded();
    if (isDelegated(known))
      throw new InvalidClaimsError([{ id: LIFETIME_CLAIMS.authTime, reason: NO_PROOF }]);
    return { ...withoutProtectedClaims(known), [LIFETIME_CLAIMS.authTime]: toSeconds(this.clock.now()) };
  }

  /** Warns of checks that no session can pass, because the time of authentication is not recorded. */
  noteFailed(validators: readonly SessionClaimValidator[]): void {
    if (!this.isOn && validators.some(asksForAuthenticationTime))
      this.unrecorded.warn(`A route asks for the time of authentication. ${notRecorded().message}`);
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
    return Object.fromEntries(Object.entries(payload).filter(([name]) => !this.claimNames.includes(name)));
  }

  /** Returns whether the session with this payload has reached its absolute end, even if its tokens are still valid. */
  isOver(payload: JsonObject): boolean {
    const endMs = this.hasLimits(payload) ? endOfSessionMs(payload) : undefined;
    return endMs !== undefined && endMs <= this.clock.now();
  }

  private hasLimits(payload: JsonObject): boolean {
    return this.isOn || Object.hasOwn(payload, PARENT_CLAIM);
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
    if (!this.hasLimits(payload)) return grantedMs;
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

/** Returns the claim of a limit: the lowest of those that are set. */
function earliest(name: string, limits: readonly (number | undefined)[]): JsonObject {
  const given = limits.filter((limit) => limit !== undefined);
  return given.length === 0 ? {} : { [name]: Math.min(...given) };
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
