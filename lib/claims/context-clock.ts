import { SystemClock, type Clock } from '../util/clock.js';
import { reservedContext, ensureReservedContext, type UserContext } from '../util/user-context.js';

const systemClock = new SystemClock();

/** Puts the module's clock into the reserved place of a user context; claims find it there. */
export function provideClock(userContext: UserContext, clock: Clock): void {
  const reserved: { clock?: Clock } = ensureReservedContext(userContext);
  reserved.clock = clock;
}

/** The clock that was provided, or else the system's. */
export function contextClock(userContext: UserContext): Clock {
  const reserved: { clock?: Clock } | undefined = reservedContext(userContext);
  return reserved?.clock ?? systemClock;
}
