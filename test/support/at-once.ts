import type { CoreClient } from '../../lib/core/core-client.js';
import type { RefreshSessionInput, VerifySessionInput } from '../../lib/core/core.types.js';
import { refresh, refreshed, verify } from './core-calls.js';

/** The calls of `core-calls.ts` as a caller of CDI 5.6 makes them. */
export const AT_ONCE = { rotation: 'at-once' } as const;

/** Presents a refresh token. */
export const present = (core: CoreClient, token: string, changes: Partial<RefreshSessionInput> = {}) =>
  refresh(core, token, { ...AT_ONCE, ...changes });

/** The tokens of a refresh that must work. */
export const rotate = (core: CoreClient, token: string, changes: Partial<RefreshSessionInput> = {}) =>
  refreshed(core, token, { ...AT_ONCE, ...changes });

/** Presents an access token, and lets the core look at its database. */
export const check = (core: CoreClient, token: string, changes: Partial<VerifySessionInput> = {}) =>
  verify(core, token, { ...AT_ONCE, checkDatabase: true, ...changes });
