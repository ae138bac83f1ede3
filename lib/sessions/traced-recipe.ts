import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import type { Telemetry } from '../events/telemetry.js';
import { asPlainObject } from './overrides.js';
import type { RecipeInterface } from './recipe.interface.js';

/**
 * The same recipe with spans around what takes time: creating, refreshing, and verifying a token that is not remembered.
 * A token whose key is at hand is verified without coming here.
 */
export function tracedRecipe(
  recipe: RecipeInterface,
  telemetry: Telemetry,
  verifier: Pick<AccessTokenVerifier, 'recall'>,
): RecipeInterface {
  const traced: Pick<RecipeInterface, 'createNewSession' | 'refreshSession' | 'getSession'> = {
    createNewSession: async (input) =>
      telemetry.recordSession('session.create', async () => recipe.createNewSession(input)),
    refreshSession: async (input) => telemetry.recordRefresh(async () => recipe.refreshSession(input)),
    getSession: async (input) => {
      const { accessToken } = input;
      const known = accessToken === undefined ? undefined : verifier.recall(accessToken);
      const asksCore = input.options?.checkDatabase === true || known?.parentRefreshTokenHash1 !== undefined;
      return accessToken === undefined || (known !== undefined && !asksCore)
        ? recipe.getSession(input)
        : telemetry.recordSession('session.verify', async () => recipe.getSession(input));
    },
  };
  return { ...asPlainObject(recipe), ...traced };
}
