import { createHash } from 'node:crypto';

/** The number of different tags of users. */
export const USER_TAGS = 256;

const UUID_LENGTH = 36;
/** A UUID of version 8, the version for a content of one's own, with the tag behind the version (RFC 9562, 5.8). */
const TAGGED = /^[0-9a-f]{8}-[0-9a-f]{4}-8([0-9a-f]{2})[0-9a-f]-/;

/** Returns a user's tag, from 0 to 255: so little of a hash of the user id that it names nobody. */
export function userTag(userId: string): number {
  return createHash('sha256').update(userId).digest().readUInt8();
}

/** Writes a tag into a random UUID. */
export function tagUuid(uuid: string, tag: number): string {
  return `${uuid.slice(0, 14)}8${tagText(tag)}${uuid.slice(17, UUID_LENGTH)}`;
}

/** Returns the tag that a session handle carries; undefined for a handle without one. */
export function readHandleTag(sessionHandle: string): number | undefined {
  const [, tag] = TAGGED.exec(sessionHandle) ?? [];
  return tag === undefined ? undefined : Number.parseInt(tag, 16);
}

/** Writes a tag as a handle carries it: two hexadecimal digits. */
export function tagText(tag: number): string {
  return tag.toString(16).padStart(2, '0');
}
