import { createHash } from 'node:crypto';
import { readHandleTag, tagText, USER_TAGS, userTag } from '../../util/handle-tag.js';
import type { SessionKey, SessionRow } from '../session-store.js';

const DEFAULT_TENANT = 'public';
const SLOTS = 16_384;
/** Ends the name of a partition's index; the scripts cut it off to get the beginning of the names of rows. */
const INDEX = 'users';

/**
 * The names of the keys. On one server all sessions are in one partition. In a cluster they are in 256, each in one slot, so
 * that a script reaches a session and the index of its user together: the handle carries the tag of the user
 * (`lib/util/handle-tag.ts`). A handle without a tag, which the engine never makes, is in the partition of its own hash.
 */
export class RedisLayout {
  /** The beginning of each partition's keys. */
  private readonly bases: readonly string[];

  constructor(
    readonly prefix: string,
    readonly isPartitioned: boolean,
  ) {
    this.bases = isPartitioned ? slotTags().map((tag) => `${prefix}{${tag}}:`) : [prefix];
  }

  allPartitions(): number[] {
    return this.bases.map((_, partition) => partition);
  }

  /** The partition of a user's index. */
  userPartition(userId: string): number {
    return this.isPartitioned ? userTag(userId) : 0;
  }

  /** The partition of a session. */
  handlePartition(sessionHandle: string): number {
    if (!this.isPartitioned) return 0;
    return readHandleTag(sessionHandle) ?? createHash('sha256').update(sessionHandle).digest().readUInt8();
  }

  /** Names a partition's sorted set of all its sessions, by user. */
  indexKey(partition: number): string {
    return `${this.base(partition)}${INDEX}`;
  }

  /** Names a partition's hash of the cut-offs that end its sessions. It is as long as `users`, for the scripts. */
  cutOffsKey(partition: number): string {
    return `${this.base(partition)}ended`;
  }

  /** Names a partition's stream of the records of ended sessions. */
  streamKey(partition: number): string {
    return `${this.base(partition)}revoked`;
  }

  /** Names a partition's stream of the audit trail. It is as long as `users`, for the scripts. */
  auditKey(partition: number): string {
    return `${this.base(partition)}audit`;
  }

  /** Names the channel on which new records of all partitions are announced. */
  get channel(): string {
    return `${this.prefix}revoked`;
  }

  /** Names a call in a partition, so that its script recognises a repetition. */
  callKey(partition: number, id: string): string {
    return `${this.base(partition)}call:${id}`;
  }

  /** Names a used proof, anywhere in a cluster. */
  proofKey(proof: string): string {
    return `${this.prefix}proof:${proof}`;
  }

  /** Names a shared value, anywhere in a cluster. */
  valueKey(name: string): string {
    return `${this.prefix}value:${name}`;
  }

  rowKey(key: SessionKey): string {
    return `${this.base(this.handlePartition(key.sessionHandle))}${rowName(key)}`;
  }

  /** Names the lock of a user, in the user's partition. */
  lockKey(userId: string): string {
    return `${this.base(this.userPartition(userId))}lock:${userId}`;
  }

  /** Names the hash with the signing keys and the refresh-token key. */
  get keysKey(): string {
    return `${this.prefix}{keys}`;
  }

  /** The text by which a script recognises handles of a partition; empty if all are. */
  partitionTag(partition: number): string {
    return this.isPartitioned ? tagText(partition) : '';
  }

  private base(partition: number): string {
    return this.bases[partition] ?? this.prefix;
  }
}

/** Names a session within its partition. The default tenant is left out, because each byte is in memory for each session. */
export function rowName({ tenantId, sessionHandle }: SessionKey): string {
  return `${tenantRowNames(tenantId)}${sessionHandle}`;
}

/** The beginning of the names of a tenant's sessions; that of all tenants is empty. */
export function tenantRowNames(tenantId: string | undefined): string {
  if (tenantId === undefined) return '';
  return tenantId === DEFAULT_TENANT ? 's:' : `t:${encodeURIComponent(tenantId)}:`;
}

/**
 * The ending of the name of the sorted set by creation that has a tenant's sessions. Those of the default tenant are in the set of
 * all, because most deployments have no other.
 */
export function creationSetEnding(tenantId: string | undefined): string {
  return tenantId === undefined || tenantId === DEFAULT_TENANT ? '' : `:${encodeURIComponent(tenantId)}`;
}

export function parseRowName(name: string): SessionKey {
  const [, tenant, sessionHandle] = /^(?:s|t:([^:]*)):([^]*)$/.exec(name) ?? [];
  if (sessionHandle === undefined) throw new Error('Redis returned a name that is none of a session');
  return { tenantId: tenant === undefined ? DEFAULT_TENANT : decodeURIComponent(tenant), sessionHandle };
}

/** Names a session in the index: names of one user lie together, because a user id contains no NUL. */
export function indexMember({ userId, ...key }: SessionKey & { readonly userId: string }): string {
  return `${userId}\0${rowName(key)}`;
}

/** A member of the index. */
export function parseIndexMember(member: string): SessionKey & { readonly userId: string } {
  const end = member.indexOf('\0');
  return { userId: member.slice(0, end), ...parseRowName(member.slice(end + 1)) };
}

/**
 * Writes a row as one text: a hash with such long values would take twice the memory. The times come first, for the scripts
 * that judge by them alone. NUL separates the columns; JSON and user ids do not contain it.
 */
export function encodeRow(row: SessionRow): string {
  return [
    row.expiresAtMs,
    row.createdAtMs,
    row.rotatedAtMs ?? '',
    row.useStaticKey ? 1 : 0,
    encodeHash(row.refreshTokenHash2),
    row.prevRefreshTokenHash2 === undefined ? '' : encodeHash(row.prevRefreshTokenHash2),
    row.userId,
    row.sessionData,
    row.accessTokenPayload,
  ].join('\0');
}

/** @throws {Error} the text is no row */
export function decodeRow({ tenantId, sessionHandle }: SessionKey, text: string): SessionRow {
  const [expires, birth = '', rotated, isStatic, hash, prev, userId, sessionData, ...payload] =
    text.split('\0');
  const [created] = birth.split('+'); // the generation comes after it
  const times = [Number(expires || Number.NaN), Number(created || Number.NaN), Number(rotated)];
  if (!hash || userId === undefined || sessionData === undefined || !times.every(Number.isSafeInteger))
    throw new Error('Redis returned a text that is no session');
  return {
    tenantId,
    sessionHandle,
    userId,
    refreshTokenHash2: decodeHash(hash),
    sessionData,
    accessTokenPayload: payload.join('\0'),
    expiresAtMs: Number(expires),
    createdAtMs: Number(created),
    useStaticKey: isStatic === '1',
    prevRefreshTokenHash2: prev ? decodeHash(prev) : undefined,
    rotatedAtMs: rotated ? Number(rotated) : undefined,
  };
}

const SHA256_HEX = /^[0-9a-f]{64}$/;
const OTHER_TEXT = '!';

/** Writes a hash in 43 characters instead of 64; any other text as it is. */
export function encodeHash(hash: string): string {
  return SHA256_HEX.test(hash) ? Buffer.from(hash, 'hex').toString('base64url') : `${OTHER_TEXT}${hash}`;
}

function decodeHash(text: string): string {
  if (text.startsWith(OTHER_TEXT)) return text.slice(OTHER_TEXT.length);
  return Buffer.from(text, 'base64url').toString('hex');
}

/** Returns 256 hash tags whose slots are evenly spread, so that each node of a cluster gets its share. */
function slotTags(): string[] {
  const width = SLOTS / USER_TAGS;
  const tags: string[] = [];
  for (let n = 0, found = 0; found < USER_TAGS; n++) {
    const place = Math.floor(keySlot(n.toString(36)) / width);
    if (tags[place] !== undefined) continue;
    tags[place] = n.toString(36);
    found++;
  }
  return tags;
}

/** Returns the slot of a key: of its hash tag, if it has one. @see Redis cluster specification, key distribution model */
export function keySlot(key: string): number {
  const [, tag] = /\{([^}]+)\}/.exec(key) ?? [];
  let crc = 0;
  for (const byte of Buffer.from(tag ?? key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return (crc & 0xffff) % SLOTS;
}
