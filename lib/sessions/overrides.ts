import { SessionConfigError } from '../options/config-error.js';
import { SESSION_ROUTES, type RouteFunction } from '../options/session-routes.js';
import type { ApiInterface } from './session-api.js';
import type { RecipeInterface } from './recipe.interface.js';
import type { SessionRecipe } from './session-recipe.js';

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
  recordAuthentication: true,
  validateClaims: true,
  fetchAndSetClaim: true,
  setClaimValue: true,
  getClaimValue: true,
  removeClaim: true,
  createJWT: true,
  getJWKS: true,
  getOpenIdDiscoveryConfiguration: true,
};

/** Each API function belongs to a route, except the one that the guard runs. */
const API_NAMES: Readonly<Record<keyof ApiInterface, true>> = apiNames();

function apiNames(): Readonly<Record<RouteFunction | 'verifySession', true>> {
  const ofRoutes = Object.values(SESSION_ROUTES).flatMap(({ apiFunction }) => apiFunction ?? []);
  const names = [...ofRoutes, 'verifySession'].map((name) => [name, true] as const);
  return Object.fromEntries(names) as Readonly<Record<RouteFunction | 'verifySession', true>>;
}

/**
 * Puts the functions that `override.functions` replaces onto the recipe, as a subclass would.
 *
 * A function that the override leaves out stays the original: unlike a route, a recipe without one cannot work.
 *
 * @throws {SessionConfigError} the override returned no such object
 * @see docs/protocol/sdk.md §14.1
 */
export function applyFunctionOverrides(
  recipe: SessionRecipe,
  override: ((original: RecipeInterface) => RecipeInterface) | undefined,
): SessionRecipe {
  if (override === undefined) return recipe;
  const original = bindFunctions(recipe);
  const returned = readOverride('override.functions', override(original), FUNCTION_NAMES);
  const replaced = Object.entries(returned).filter(([name, value]) => value !== Reflect.get(original, name));
  return Object.assign(recipe, Object.fromEntries(replaced));
}

/**
 * Lays `override.apis` over the API functions. One that is left out or undefined switches its route off; the guard's
 * cannot be switched off.
 *
 * @throws {SessionConfigError} the override returned no such object
 */
export function applyApiOverrides(
  original: ApiInterface,
  override: ((original: ApiInterface) => ApiInterface) | undefined,
): ApiInterface {
  if (override === undefined) return original;
  const { verifySession = original.verifySession, ...routes } = readOverride(
    'override.apis',
    override(original),
    API_NAMES,
  );
  return { ...routes, verifySession };
}

/** Returns the recipe's methods as own functions, so that `{ ...original }` has them, too. */
function bindFunctions(recipe: SessionRecipe): RecipeInterface {
  const functions = Object.keys(FUNCTION_NAMES).map((name) => {
    const method: unknown = Reflect.get(recipe, name);
    if (typeof method !== 'function') throw new TypeError(`The session recipe has no function ${name}`);
    return [name, method.bind(recipe)] as const;
  });
  return Object.fromEntries(functions) as unknown as RecipeInterface;
}

/** Refuses a misspelt name, and a class instance whose methods a spread would lose: neither must be ignored in silence. */
function readOverride<T extends object>(
  path: string,
  returned: T,
  names: Readonly<Record<keyof T, true>>,
): Partial<T> {
  const problem = findProblem(returned, names);
  if (problem !== undefined) throw new SessionConfigError([{ path, message: problem }]);
  return Object.fromEntries(
    Object.entries(returned).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

function findProblem(returned: unknown, names: object): string | undefined {
  if (typeof returned !== 'object' || returned === null) {
    return 'must return an object of functions: (original) => ({ ...original, … })';
  }
  if (Object.getPrototypeOf(returned) !== Object.prototype) {
    return 'must return a plain object; a class that changes the recipe goes into the option recipe';
  }
  for (const [name, value] of Object.entries(returned)) {
    if (!Object.hasOwn(names, name))
      return `there is no function ${name}; there are ${Object.keys(names).join(', ')}`;
    if (value !== undefined && typeof value !== 'function') return `${name} must be a function`;
  }
  return undefined;
}
