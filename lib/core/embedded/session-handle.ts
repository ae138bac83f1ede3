import { randomUUID } from 'node:crypto';
import { tagUuid } from '../../util/handle-tag.js';
import { DEFAULT_TENANT_ID } from '../../util/tenant-id.js';
import type { SessionKey } from '../../stores/session-store.js';

/** Accepts reserved words as tenant ids, because there may be rows from before they were reserved. */
const HANDLE = /^([0-9A-Za-z-]{1,128})(?:_([a-z0-9-]{1,64}))?$/;

/**
 * Returns a new handle, which ends in the tenant's id unless that is the default.
 *
 * @param tag the user's, for stores that ask for it
 */
export function newSessionHandle(tenantId: string, tag?: number): string {
  const uuid = tag === undefined ? randomUUID() : tagUuid(randomUUID(), tag);
  return tenantId === DEFAULT_TENANT_ID ? uuid : `${uuid}_${tenantId}`;
}

/** Returns the key that a session handle stands for; undefined for a text that can be no handle, without a read of the store. */
export function parseSessionHandle(sessionHandle: string): SessionKey | undefined {
  const match = HANDLE.exec(sessionHandle);
  return match ? { sessionHandle, tenantId: match[2] ?? DEFAULT_TENANT_ID } : undefined;
}
