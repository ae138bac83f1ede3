import type { ErrorResponder } from './error-responder.js';
import type { SessionContainer } from './session-container.js';
import { findRequestSlot, requestSlot } from '../http/request-slot.js';

/** What is known about a request; kept on the request itself, so that parallel requests cannot meet. */
export interface RequestState {
  /** Answers the errors of the module that works on this request; with several modules it is not any one's. */
  readonly errorResponder: ErrorResponder;
  /** Whether a guard has decided; without one `@Session()` has nothing to say. */
  readonly isGuarded: boolean;
  readonly session: SessionContainer | undefined;
}

export function getRequestState(request: unknown): RequestState | undefined {
  if (typeof request !== 'object' || request === null) return undefined;
  return findRequestSlot(request)?.state as RequestState | undefined;
}

export function setRequestState(request: unknown, state: RequestState): void {
  if (typeof request !== 'object' || request === null) throw new TypeError('The request is no object');
  requestSlot(request).state = state;
}
