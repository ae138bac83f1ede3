/** Repeats after status 429, for each host and call. */
const MAX_RATE_LIMIT_REPEATS = 5;
/** Statuses of a gateway whose core did not answer it. */
const GATEWAY_TROUBLE: readonly number[] = [502, 503, 504];
const RATE_LIMITED = 429;

/** How an attempt at one host ended. */
export type AttemptOutcome =
  | { readonly kind: 'ANSWER'; readonly status: number }
  | {
      /** No connection, a connection that broke, or no answer in time. */
      readonly kind: 'NO_ANSWER';
      /** False only where no connection came about, so that not a byte can have been read. */
      readonly mayHaveBeenReceived: boolean;
      /** The connection had served earlier calls and broke before any answer: most likely the host had closed it. */
      readonly isStaleConnection: boolean;
    }
  /** Something came back that is no answer of a core: no HTTP, or more than may be read. */
  | { readonly kind: 'NONSENSE' };

export interface CallProgress {
  /** Whether the core may do the call twice without harm. */
  readonly isRepeatable: boolean;
  /** How often this host has answered 429 before, in this call. */
  readonly rateLimitRepeats: number;
  /** Whether this host was asked again already because of a stale connection. */
  readonly isOnNewConnection: boolean;
}

/** What follows an attempt. `TAKE`: its outcome is the outcome of the call, good or bad. */
export type NextStep = 'TAKE' | 'ASK_NEXT_HOST' | 'ASK_AGAIN_ON_NEW_CONNECTION' | 'WAIT_AND_ASK_AGAIN';

/**
 * What follows an attempt.
 *
 * A call that must not be done twice is asked again only where it certainly was not done: no connection, or a refusal
 * by rate limiting.
 *
 * @see docs/protocol/core.md A7, A9
 */
export function nextStep(outcome: AttemptOutcome, progress: CallProgress): NextStep {
  switch (outcome.kind) {
    case 'NONSENSE':
      return 'TAKE';
    case 'ANSWER':
      if (outcome.status === RATE_LIMITED && progress.rateLimitRepeats < MAX_RATE_LIMIT_REPEATS) {
        return 'WAIT_AND_ASK_AGAIN';
      }
      return isGatewayTrouble(outcome.status) && progress.isRepeatable ? 'ASK_NEXT_HOST' : 'TAKE';
    case 'NO_ANSWER':
      if (!outcome.mayHaveBeenReceived) return 'ASK_NEXT_HOST';
      if (!progress.isRepeatable) return 'TAKE';
      return outcome.isStaleConnection && !progress.isOnNewConnection
        ? 'ASK_AGAIN_ON_NEW_CONNECTION'
        : 'ASK_NEXT_HOST';
  }
}

/** How long to wait before the next repeat after status 429: 10, 260, 510, 760, 1010 milliseconds. */
export function rateLimitDelayMs(repeatsBefore: number): number {
  return 10 + 250 * repeatsBefore;
}

/** True for statuses that say: the host that should have answered did not. */
export function isGatewayTrouble(status: number): boolean {
  return GATEWAY_TROUBLE.includes(status);
}

/** True for the statuses after which the same call may work a little later. */
export function isTemporary(status: number): boolean {
  return status === RATE_LIMITED || isGatewayTrouble(status);
}
