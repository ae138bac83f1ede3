import { SystemClock, type Clock } from '../util/clock.js';
import { reservedPlaceIn, reservePlaceIn, type UserContext } from '../util/user-context.js';

const systemClock = new SystemClock();

/** Puts the module's clock into the reserved place of a user context; claims find it there. */
export function provideClock(userContext: UserContext, clock: Clock): void {
  const reserved: { clock?: Clock } = reservePlaceIn(userContext);
  reserved.clock = clock;
}

/** The clock that was provided, or else the system's. */
export function clockIn(userContext: UserContext): Clock {
  const reserved: { clock?: Clock } | undefined = reservedPlaceIn(userContext);
  return reserved?.clock ?? systemClock;
}
