import { clientAddress } from '../util/client-address.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';
import { printable } from './printable.js';

const MAX_USER_AGENT_LENGTH = 256;

/**
 * From where something was asked for, as far as it is known.
 *
 * @publicApi
 */
export interface EventSource {
  /**
   * The client's address as the framework tells it, so through proxies only those that the application trusts; IPv6 in
   * its short form. Absent outside of requests.
   */
  readonly ip?: string;
  /** The `User-Agent` header: at most 256 characters, control characters spelled out (`\u{a}`). Anybody can write it. */
  readonly userAgent?: string;
}

/** Reads it from the request that a recipe function works for. */
export function toEventSource(userContext: UserContext | undefined): EventSource {
  const request = getRequestFromUserContext(userContext);
  if (request === undefined) return {};
  const ip = clientAddress(request);
  const userAgent = request.getHeaderValue('user-agent');
  return {
    ...(ip === undefined ? {} : { ip }),
    ...(userAgent === undefined ? {} : { userAgent: printable(userAgent, MAX_USER_AGENT_LENGTH) }),
  };
}
