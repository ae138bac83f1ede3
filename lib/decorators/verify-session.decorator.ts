import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { VerifySessionOptions } from '../sessions/recipe.interface.js';
import { assertVerifySessionOptions, recordRules } from './route-rules.js';

/**
 * Says how `SessionGuard` verifies on a class or handler; the handler's options win over the class's, one by one.
 *
 * @throws {TypeError} when the class is defined: an option is unknown or of the wrong type
 * @publicApi
 */
export function VerifySession(options: VerifySessionOptions = {}): ClassDecorator & MethodDecorator {
  assertVerifySessionOptions(options);
  return recordRules({ options: { ...options } });
}

/**
 * Lets requests without a session through; `@Session()` is undefined then. A token that is there must still be good.
 *
 * @publicApi
 */
export function OptionalSession(): ClassDecorator & MethodDecorator {
  return recordRules({ options: { sessionRequired: false } });
}

/**
 * Lets every request through without looking for a session.
 *
 * @throws {TypeError} when the class is defined: another decorator on the same class or handler asks for a session
 * @publicApi
 */
export function PublicAccess(): ClassDecorator & MethodDecorator {
  return recordRules({ isPublic: true });
}

/**
 * Requires that claim validators pass, in addition to the global ones; those on class and handler add up. The answer
 * to a failure is a 403 that names the failed validators.
 *
 * @throws {TypeError} when the class is defined: something is no validator
 * @publicApi
 */
export function RequireClaims(...claimValidators: SessionClaimValidator[]): ClassDecorator & MethodDecorator {
  for (const validator of claimValidators) {
    if (typeof (validator as Partial<SessionClaimValidator> | undefined)?.validate !== 'function') {
      throw new TypeError(
        '@RequireClaims takes claim validators, for example UserRoleClaim.validators.includes("admin")',
      );
    }
  }
  return recordRules({ claimValidators });
}
