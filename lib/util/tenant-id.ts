import { CoreBadInputError } from '../errors.js';
import type { JsonObject } from './json.js';

/**
 * The tenant that applies if no other is given, under SuperTokens' name.
 *
 * @publicApi
 */
export const DEFAULT_TENANT_ID = 'public';

const TENANT_ID = /^[a-z0-9-]{1,64}$/;
/** Words with another meaning to a core at the place of a tenant in a path. */
const RESERVED_WORD = /^(?:recipe|config|users|hello|appid-.*)$/;

/**
 * True if each kind of core accepts this tenant id.
 *
 * @see docs/protocol/core.md A1
 */
export function isTenantId(text: string): boolean {
  return TENANT_ID.test(text) && !RESERVED_WORD.test(text);
}

/** Checks a tenant id. @throws {CoreBadInputError} it is not a valid one */
export function assertTenantId(tenantId: string): void {
  if (isTenantId(tenantId)) return;
  throw new CoreBadInputError(
    'The tenant id must be 1 to 64 characters of a-z, 0-9 and "-", and no reserved word of the core',
  );
}

/** Returns the tenant of a token's payload. */
export function readTenantId(payload: JsonObject): string {
  const { tId } = payload;
  return typeof tId === 'string' ? tId : DEFAULT_TENANT_ID;
}

/**
 * Returns the tenant of a session handle: handles of other tenants than the default end in `_<tenant id>`.
 *
 * @see docs/protocol/core.md B1
 */
export function tenantIdOfHandle(sessionHandle: string): string {
  return sessionHandle.split('_')[1] || DEFAULT_TENANT_ID;
}
