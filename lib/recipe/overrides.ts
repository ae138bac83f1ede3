import type { ApiInterface } from './api.interface.js';
import type { RecipeInterface } from './recipe.interface.js';
import type { SessionRecipe } from './recipe-implementation.js';

const FUNCTION_NAMES: Readonly<Record<keyof RecipeInterface, true>> = {
  createNewSession: true,
  getGlobalClaimValidators: true,
  getSession: true,
  refreshSession: true,
  getSessionInformation: true,
  revokeAllSessionsForUser: true,
  getAllSessionHandlesForUser: true,
  revokeSession: true,
  revokeMultipleSessions: true,
  updateSessionDataInDatabase: true,
  mergeSessionDataInDatabase: true,
  mergeIntoAccessTokenPayload: true,
  regenerateAccessToken: true,
  validateClaims: true,
  fetchAndSetClaim: true,
  setClaimValue: true,
  getClaimValue: true,
  removeClaim: true,
  createJWT: true,
  getJWKS: true,
  getOpenIdDiscoveryConfiguration: true,
};

/**
 * Lays `override.functions` over the recipe and lets the recipe call its siblings through the result.
 *
 * A function that the override leaves out stays the original: unlike a route, a recipe without one cannot work.
 *
 * @see docs/protocol/sdk.md §14.1
 */
export function applyFunctionOverrides(
  recipe: SessionRecipe,
  override: ((original: RecipeInterface) => RecipeInterface) | undefined,
): RecipeInterface {
  if (override === undefined) return recipe;
  const original = asPlainObject(recipe);
  const overridden: RecipeInterface = { ...original, ...withoutUndefined(override(original)) };
  recipe.useOverrides(overridden);
  return overridden;
}

/** Lays `override.apis` over the API functions. One that is left out or undefined switches its route off. */
export function applyApiOverrides(
  original: ApiInterface,
  override: ((original: ApiInterface) => ApiInterface) | undefined,
): ApiInterface {
  return override === undefined ? original : override(original);
}

/** The methods as own functions, so that `{ ...original }` has them, too. */
function asPlainObject(recipe: SessionRecipe): RecipeInterface {
  const functions = Object.keys(FUNCTION_NAMES).map((name) => {
    const method: unknown = Reflect.get(recipe, name);
    if (typeof method !== 'function') throw new TypeError(`The session recipe has no function ${name}`);
    return [name, method.bind(recipe)] as const;
  });
  return Object.fromEntries(functions) as unknown as RecipeInterface;
}

function withoutUndefined(functions: RecipeInterface): Partial<RecipeInterface> {
  return Object.fromEntries(Object.entries(functions).filter(([, value]) => value !== undefined));
}
