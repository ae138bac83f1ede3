import type { CoreProvider, SessionStore } from 'nest-sessions/core';
import { EmbeddedCore } from '../../lib/core/embedded/embedded-core.js';
import { resolveEmbeddedCoreOptions } from '../../lib/core/embedded/embedded-core-options.js';

/** A core that knows every login as one of the user `primary`. */
export function coreOfLinkedAccounts(store: SessionStore): CoreProvider {
  const { config } = resolveEmbeddedCoreOptions({ accessTokenValidityJitter: 0 });
  class LinkedAccounts extends EmbeddedCore {
    override async getPrimaryUserId(): Promise<string> {
      return 'primary';
    }
  }
  return { problems: [], create: (context) => new LinkedAccounts(store, config, context) };
}
