import type { JsonObject } from './json.js';

/** The tenant of everybody who does not say otherwise. */
export const DEFAULT_TENANT_ID = 'public';

/** The tenant that a token's payload names. */
export function tenantIdIn(payload: JsonObject): string {
  const { tId } = payload;
  return typeof tId === 'string' ? tId : DEFAULT_TENANT_ID;
}

/**
 * The tenant that a session handle names: handles of other tenants than the default end in `_<tenant id>`.
 *
 * @see docs/protocol/core.md B1
 */
export function tenantIdOfHandle(sessionHandle: string): string {
  return sessionHandle.split('_')[1] || DEFAULT_TENANT_ID;
}
