import { SessionEvents } from 'nest-sessions';
import { SystemClock } from 'nest-sessions/core';

/** The surroundings of a core that a benchmark makes without a module. */
export function coreContext() {
  return {
    clock: new SystemClock(),
    events: new SessionEvents(),
    apiDomain: 'http://localhost:3000',
    jwksRefreshIntervalSec: 14_400,
  };
}
