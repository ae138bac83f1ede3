import type { Facts } from '../facts.js';
import type { Finding } from '../finding.js';
import { checkAddress } from './address.js';
import { checkCaching } from './caching.js';
import { checkClock } from './clock.js';
import { checkCookies } from './cookies.js';
import { checkCors } from './cors.js';
import { checkDevice } from './device.js';
import { checkGuardedRoute } from './guarded-route.js';
import { checkRoutes } from './routes.js';
import { checkSignIn } from './sign-in.js';
import { checkSizeOfHeads } from './sizes.js';

/** Runs every check, in the order in which to fix problems: address, routes, CORS, sign-in, cookies, times, bound sessions. */
export function allFindings(facts: Facts): Finding[] {
  const checks = [
    checkAddress,
    checkRoutes,
    checkGuardedRoute,
    checkCors,
    checkSignIn,
    checkCookies,
    checkSizeOfHeads,
    checkCaching,
    checkClock,
    checkDevice,
  ];
  return checks.flatMap((check) => check(facts));
}
