import { CoreBadInputError } from '../errors.js';
import type { JsonObject } from './json.js';

/** The tenant of everybody who does not say otherwise. */
export const DEFAULT_TENANT_ID = 'public';

const TENANT_ID = /^[a-z0-9-]{1,64}$/;
/** What a core reads as something else when it stands in a path where a tenant stands. */
const RESERVED_WORD = /^(?:recipe|config|users|hello|appid-.*)$/;

/**
 * Whether a tenant can have that id, at every kind of core.
 *
 * @see docs/protocol/core.md A1
 */
export function isTenantId(text: string): boolean {
  return TENANT_ID.test(text) && !RESERVED_WORD.test(text);
}

/** @throws {CoreBadInputError} no tenant can have that id */
export function assertTenantId(tenantId: string): void {
  if (isTenantId(tenantId)) return;
  throw new CoreBadInputError(
    'The tenant id must be 1 to 64 characters of a-z, 0-9 and "-", and no reserved word of the core',
  );
}

/** The tenant that a token's payload names. */
export function readTenantId(payload: JsonObject): string {
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
