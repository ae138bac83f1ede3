import { recogniseCopies } from '../util/copies.js';

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
 * What a store writes beside the sessions that it removes; see {@link Revocation} for the times.
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
  /** The position after them, for the next read. */
  readonly position: string;
}

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
   * Returns every record that was complete when the call began and that no earlier page up to `after` contained.
   *
   * @param after the position of the last page; undefined: all records that still matter
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

function noteMembers({ notBeforeMs, untilMs, reason, initiator }: RevocationNote) {
  return {
    notBeforeMs,
    untilMs,
    ...(reason === undefined ? {} : { reason }),
    ...(initiator === undefined ? {} : { initiator }),
  };
}
