import { createHash } from 'node:crypto';
import { changeValue, type SharedValues } from '../audit/shared-values.js';
import type { Clock } from '../util/clock.js';
import { KeyedMutex } from '../util/keyed-mutex.js';
import type { LogoutToken } from './logout-token.js';

const DAY_MS = 86_400_000;
/** How long the end of a sign-in is remembered: longer than the sign-ins that were on their way to the application. */
const END_KEPT_MS = DAY_MS;
/** Each time that a list has grown by so many, the sessions that have ended are taken out of it. */
const CLEANED_AFTER = 64;

/**
 * A sign-in at an OpenID provider, as the ID token of it says.
 *
 * @publicApi
 */
export interface ProviderSignIn {
  /** `iss`; one of the option `backChannelLogout.providers`. */
  readonly issuer: string;
  /** `sub`. */
  readonly sub: string;
  /** `sid`, where the ID token has one: without it only the end of all the user's sessions at the provider is noticed. */
  readonly sid?: string | undefined;
}

/** A session that belongs to a sign-in. */
export interface SignedInSession {
  readonly sessionHandle: string;
  /** The latest end of the session, milliseconds since the epoch. */
  readonly untilMs: number;
  /** When the user proved who they are, milliseconds since the epoch, if that is known. */
  readonly authenticatedAtMs: number | undefined;
}

/** The text that is kept for one `sid` or `sub`. */
interface Known {
  readonly sessions: readonly KnownSession[];
  /** `iat` of the latest logout token, milliseconds since the epoch. */
  readonly endedAtMs?: number;
}

/** The sign-in of a session. */
interface KnownSignIn extends Omit<SignedInSession, 'sessionHandle'> {
  readonly signIn: ProviderSignIn;
}

interface KnownSession {
  readonly handle: string;
  readonly untilMs: number;
  readonly hasSid: boolean;
}

/**
 * Which sessions belong to which sign-in at a provider, and which logout tokens have been used: shared values of the store, so that every
 * instance finds them. Names are digests, because a provider chooses the texts.
 */
export class ProviderSessions {
  private readonly turns = new KeyedMutex();

  constructor(
    private readonly values: SharedValues,
    private readonly clock: Clock,
    private readonly isLive: (sessionHandle: string) => Promise<boolean>,
  ) {}

  /**
   * Notes that a session belongs to a sign-in.
   *
   * @returns false if the sign-in has ended, also while the session was being made
   */
  async add(signIn: ProviderSignIn, session: SignedInSession): Promise<boolean> {
    const { issuer, sub, sid } = signIn;
    const { sessionHandle: handle, untilMs, authenticatedAtMs = Number.POSITIVE_INFINITY } = session;
    const known = { handle, untilMs, hasSid: sid !== undefined };
    if (sid !== undefined && !(await this.put(nameOf('sid', issuer, sid), known, () => true))) return false;
    let lastEndMs = 0;
    const isPut = await this.put(nameOf('sub', issuer, sub), known, (endedAtMs) => {
      lastEndMs = endedAtMs;
      return authenticatedAtMs < endedAtMs;
    });
    // By this time a sibling knows each later end.
    if (isPut) await this.keepSignIn(handle, { signIn, untilMs, authenticatedAtMs: lastEndMs });
    return isPut;
  }

  /**
   * Notes that a session belongs to the sign-in of another one, if that one has one.
   *
   * @returns false if the sign-in has ended since
   */
  async addSibling(newHandle: string, siblingHandle: string): Promise<boolean> {
    const text = await this.values.read(nameOf('session', siblingHandle), this.clock.now());
    if (text === undefined) return true;
    const { signIn, ...times } = JSON.parse(text) as KnownSignIn;
    return this.add(signIn, { sessionHandle: newHandle, ...times });
  }

  private async keepSignIn(handle: string, known: KnownSignIn): Promise<void> {
    const value = { text: JSON.stringify(known), untilMs: known.untilMs };
    await this.values.replace(nameOf('session', handle), undefined, value, this.clock.now());
  }

  /** Notes that a sign-in has ended, or all of a user if the token has no `sid`. @returns the handles of its sessions */
  async end({ issuer, sub, sid, issuedAtMs }: LogoutToken): Promise<string[]> {
    const found: KnownSession[] = [];
    if (sid !== undefined) found.push(...(await this.markEnded(nameOf('sid', issuer, sid), issuedAtMs)));
    if (sub !== undefined) {
      const name = nameOf('sub', issuer, sub);
      if (sid === undefined) found.push(...(await this.markEnded(name, issuedAtMs)));
      else found.push(...(await this.read(name)).sessions.filter(({ hasSid }) => !hasSid));
    }
    return [...new Set(found.map(({ handle }) => handle))];
  }

  /** Returns whether {@link use} was called with a token. */
  async isUsed({ issuer, jti }: LogoutToken): Promise<boolean> {
    return (await this.values.read(nameOf('jti', issuer, jti), this.clock.now())) !== undefined;
  }

  /** Notes that a token has been used. @returns false if it was known */
  async use({ issuer, jti }: LogoutToken, untilMs: number): Promise<boolean> {
    const used = { text: 'used', untilMs };
    return this.values.replace(nameOf('jti', issuer, jti), undefined, used, this.clock.now());
  }

  private async put(
    name: string,
    session: KnownSession,
    isOver: (endedAtMs: number) => boolean,
  ): Promise<boolean> {
    let isPut = true;
    await this.change(name, async ({ sessions, endedAtMs }) => {
      isPut = endedAtMs === undefined || !isOver(endedAtMs);
      if (!isPut) return undefined;
      const kept = await this.withoutEnded(sessions);
      return { sessions: [...kept, session], ...(endedAtMs === undefined ? {} : { endedAtMs }) };
    });
    return isPut;
  }

  private async markEnded(name: string, endedAtMs: number): Promise<readonly KnownSession[]> {
    let sessions: readonly KnownSession[] = [];
    await this.change(name, (known) => {
      ({ sessions } = known);
      return (known.endedAtMs ?? 0) >= endedAtMs ? undefined : { ...known, endedAtMs };
    });
    return sessions;
  }

  private async withoutEnded(sessions: readonly KnownSession[]): Promise<readonly KnownSession[]> {
    const nowMs = this.clock.now();
    const inTime = sessions.filter(({ untilMs }) => untilMs > nowMs);
    if (inTime.length === 0 || inTime.length % CLEANED_AFTER !== 0) return inTime;
    const live = await Promise.all(inTime.map(async ({ handle }) => this.isLive(handle)));
    return inTime.filter((_session, index) => live[index]);
  }

  private async read(name: string): Promise<Known> {
    return parseKnown(await this.values.read(name, this.clock.now()));
  }

  /** @param decide returns what takes the place of the known; undefined: nothing does */
  private async change(
    name: string,
    decide: (known: Known) => Promise<Known | undefined> | Known | undefined,
  ): Promise<void> {
    const { values, clock, turns } = this;
    await changeValue(values, name, { clock, turns }, async (text) => {
      const next = await decide(parseKnown(text));
      if (next === undefined) return undefined;
      const ends = next.sessions.map(({ untilMs }) => untilMs);
      const untilMs = ends.reduce((latest, end) => Math.max(latest, end), clock.now() + END_KEPT_MS);
      return { text: JSON.stringify(next), untilMs };
    });
  }
}

function parseKnown(text: string | undefined): Known {
  return text === undefined ? { sessions: [] } : (JSON.parse(text) as Known);
}

function nameOf(kind: 'sid' | 'sub' | 'jti' | 'session', ...ids: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(ids));
  return `provider-${kind}-${digest.digest('base64url')}`;
}
