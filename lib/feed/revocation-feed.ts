import type { Clock } from '../util/clock.js';
import { recogniseCopies } from '../util/copies.js';

/**
 * The greatest difference between the clocks of two instances that changes no decision, milliseconds. A token that was issued
 * up to this long after a cut-off may be of an ended session, so the core is asked about it once.
 */
export const MAX_CLOCK_DIFFERENCE_MS: number = 5 * 60_000;

/**
 * The subject of a revocation: one session, all sessions of a user, of a tenant, or of everybody.
 *
 * @publicApi
 */
export type RevocationKind = 'session' | 'user' | 'tenant' | 'all';

/**
 * A record that sessions have ended, as instances tell it each other. It holds no token and no payload.
 *
 * @publicApi
 */
export interface Revocation {
  readonly kind: RevocationKind;
  /** The session handle, the recipe user id, or the tenant id; empty for `all`. */
  readonly id: string;
  /** The tenant of the session or of the user; undefined: all tenants. */
  readonly tenantId: string | undefined;
  /** Tokens that were issued before may be of an ended session, milliseconds since the epoch. */
  readonly notBeforeMs: number;
  /** No token of the ended sessions is valid any more from then on, milliseconds since the epoch. */
  readonly untilMs: number;
  readonly reason?: string;
  /** The person or the program that ended the sessions. */
  readonly initiator?: string;
}

/**
 * The reason of a revocation, for events and records. Both are texts of the application, at most 256 characters each.
 *
 * @publicApi
 */
export interface RevocationDetails {
  readonly reason?: string | undefined;
  readonly initiator?: string | undefined;
}

/**
 * The facts that a store writes beside the sessions that it removes; see {@link Revocation} for the times.
 *
 * @publicApi
 */
export interface RevocationNote extends RevocationDetails {
  readonly notBeforeMs: number;
  readonly untilMs: number;
}

/**
 * Records of a feed.
 *
 * @publicApi
 */
export interface RevocationPage {
  /** In any order; a record may come again. The reader checks them, because other programs may have written them. */
  readonly records: readonly unknown[];
  /** The position after them, for the next read: a text of at most 16,384 ASCII characters without blanks and control characters. */
  readonly position: string;
  /** True where more may be there already, so that the reader goes on at once. Default: false. */
  readonly mayHaveMore?: boolean;
}

/** The number of records in a page of the feeds of this library, about 2 MB of them, so that each page is a short read. */
export const RECORDS_OF_A_PAGE = 10_000;

/**
 * The channel by which the instances of an application tell each other that sessions have ended.
 *
 * @publicApi
 */
export abstract class RevocationFeed {
  static {
    recogniseCopies(this, 'RevocationFeed');
  }

  /** Describes the feed for the lines at the start: a name and a host, never a secret. */
  get description(): string {
    return this.constructor.name;
  }

  /** True while new records are announced at once; false while they are found by the next read only. */
  get isPushing(): boolean {
    return false;
  }

  /** Writes records. Readers may get one twice, and never none. */
  abstract publish(records: readonly Revocation[]): Promise<void>;

  /**
   * Returns records that no earlier page up to `after` contained: every one that was complete when the call began, unless there
   * are so many that the page says that it may have more.
   *
   * @param after the position of the last page; undefined, or the position of another feed: all records that still matter
   */
  abstract read(after: string | undefined): Promise<RevocationPage>;

  /**
   * Begins to announce records, where the feed can.
   *
   * @param _wake called whenever a read may find something
   * @returns the function that ends it
   */
  subscribe(_wake: () => void): () => Promise<void> {
    return async () => {};
  }

  /** Removes records with `untilMs < beforeMs`. */
  async sweep(_beforeMs: number): Promise<void> {}
}

/**
 * Thrown by a read of a feed that its core does not offer, as a SuperTokens Core does not.
 *
 * @publicApi
 */
export class NoRevocationFeedError extends Error {
  static {
    recogniseCopies(this, 'NoRevocationFeedError');
  }

  override readonly name = 'NoRevocationFeedError';

  constructor(core: string) {
    super(
      `There is no feed of revocations at the core (${core}), so ended sessions are refused elsewhere when their tokens expire`,
    );
  }
}

const KINDS: ReadonlySet<unknown> = new Set<RevocationKind>(['session', 'user', 'tenant', 'all']);
/** The length of the longest id in characters: that of a column of a session handle. */
const MAX_ID_LENGTH = 255;

/** Returns a record that a feed brought, or undefined for anything else. */
export function readRevocation(value: unknown): Revocation | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, id, tenantId, notBeforeMs, untilMs } = value as Partial<Record<keyof Revocation, unknown>>;
  const isRead =
    KINDS.has(kind) &&
    typeof id === 'string' &&
    (id !== '' || kind === 'all') &&
    id.length <= MAX_ID_LENGTH &&
    (tenantId === undefined || typeof tenantId === 'string') &&
    Number.isSafeInteger(notBeforeMs) &&
    Number.isSafeInteger(untilMs);
  return isRead ? (value as Revocation) : undefined;
}

/** Returns the record of one ended session. */
export function sessionRevocation(
  { sessionHandle, tenantId }: { readonly sessionHandle: string; readonly tenantId: string },
  note: RevocationNote,
): Revocation {
  return { kind: 'session', id: sessionHandle, tenantId, ...noteMembers(note) };
}

/** Returns the record of all sessions of a tenant, or of everybody. */
export function cutOffRevocation(tenantId: string | undefined, note: RevocationNote): Revocation {
  const subject =
    tenantId === undefined ? { kind: 'all' as const, id: '' } : { kind: 'tenant' as const, id: tenantId };
  return { ...subject, tenantId, ...noteMembers(note) };
}

function noteMembers({ notBeforeMs, untilMs, ...details }: RevocationNote) {
  return { notBeforeMs, untilMs, ...givenDetails(details) };
}

/**
 * Returns the note of sessions that end now.
 *
 * @param tokenLifeMs the longest life of an access token, for which the records have to last
 */
export function revocationNote(details: RevocationDetails, nowMs: number, tokenLifeMs: number) {
  const untilMs = nowMs + tokenLifeMs + MAX_CLOCK_DIFFERENCE_MS;
  return { notBeforeMs: nowMs, untilMs, ...givenDetails(details) };
}

/**
 * Returns the details without members that are undefined, and without any others. Characters that no database keeps, such as half
 * of an emoji that was cut off, never stop a revocation.
 */
export function givenDetails({ reason, initiator }: RevocationDetails) {
  return {
    ...(reason === undefined ? {} : { reason: storable(reason) }),
    ...(initiator === undefined ? {} : { initiator: storable(initiator) }),
  };
}

function storable(text: string): string {
  return text.replaceAll('\0', '').replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}

const SWEEP_INTERVAL_MS = 60_000;
/** How long records stay beyond the last token that they are about, for readers whose clocks are behind. */
const SWEEP_MARGIN_MS = 600_000;

/** Removes records that no longer matter, at most once a minute however often it is asked. */
export class FeedSweep {
  private lastMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly feed: RevocationFeed,
    private readonly clock: Clock,
  ) {}

  /** Begins a sweep if one is due; a failure is left to the next one. @returns whether one was due */
  run(): boolean {
    const now = this.clock.now();
    const elapsedMs = now - this.lastMs;
    if (elapsedMs >= 0 && elapsedMs < SWEEP_INTERVAL_MS) return false;
    this.lastMs = now;
    void this.feed.sweep(now - SWEEP_MARGIN_MS).catch(() => undefined);
    return true;
  }
}
