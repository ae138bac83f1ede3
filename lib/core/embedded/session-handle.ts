import { randomUUID } from 'node:crypto';
import { DEFAULT_TENANT_ID } from '../../util/tenant-id.js';
import type { SessionKey } from '../../stores/session-store.js';

/** Of any tenant that there may be a row of: what is no tenant's id today may have been one when it was written. */
const HANDLE = /^([0-9A-Za-z-]{1,128})(?:_([a-z0-9-]{1,64}))?$/;

/** A new handle; one of a tenant other than the default carries the tenant's id. */
export function newSessionHandle(tenantId: string): string {
  return tenantId === DEFAULT_TENANT_ID ? randomUUID() : `${randomUUID()}_${tenantId}`;
}

/** The tenant and handle that a caller's string names; undefined for what can be no handle, without asking the store. */
export function parseSessionHandle(sessionHandle: string): SessionKey | undefined {
  const match = HANDLE.exec(sessionHandle);
  return match ? { sessionHandle, tenantId: match[2] ?? DEFAULT_TENANT_ID } : undefined;
}
