import type { SessionConfig } from '../options/session-config.js';
import type { HttpRequest } from '../util/http-exchange.js';
import type { UserContext } from '../util/user-context.js';
import type { SocketHandshake } from './socket-client.js';
import { IS_PEER_ADDRESS } from '../util/client-address.js';
import {
  identifiedBy,
  IncomingRequest,
  type IdentifiedRequest,
  type IncomingRequestSource,
} from '../http/incoming-request.js';

interface HandshakeSource extends IncomingRequestSource, IdentifiedRequest {
  readonly ip: string | undefined;
  readonly [IS_PEER_ADDRESS]: boolean;
}

/** A handshake as an HTTP request. */
export interface ReadHandshake {
  readonly request: HttpRequest;
  /** Whether cookies were left out because they came from an origin that may not use them. */
  readonly areCookiesRefused: boolean;
}

/**
 * Reads a handshake. Browsers send cookies with a WebSocket of any page, and no CORS rule stops them, so cookies count only
 * where the `Origin` is exactly one of the application's. A token that a script sent by itself needs no such check.
 *
 * @see docs/security-requirements.md S082
 */
export function readHandshake(
  handshake: SocketHandshake,
  config: SessionConfig,
  userContext: UserContext,
): ReadHandshake {
  const source = handshakeSource(handshake);
  const request = new IncomingRequest(source);
  if (source.headers['cookie'] === undefined || mayUseCookies(request, config, userContext)) {
    return { request, areCookiesRefused: false };
  }
  const { cookie: _refused, ...others } = source.headers;
  return { request: new IncomingRequest({ ...source, headers: others }), areCookiesRefused: true };
}

/**
 * Returns a handshake as a request, for error responses and for the client's address.
 *
 * @param handshake undefined where the library does not keep it
 */
export function requestOfHandshake(handshake: SocketHandshake | undefined): HttpRequest {
  return new IncomingRequest(
    handshake === undefined ? { method: 'GET', headers: {} } : handshakeSource(handshake),
  );
}

function handshakeSource(handshake: SocketHandshake): HandshakeSource {
  const { url, headers, accessToken, ip, peerAddress } = handshake;
  const scheme = headers['dpop'] === undefined ? 'Bearer' : 'DPoP'; // a proof can only come in a header
  return {
    ...identifiedBy(handshake),
    method: 'GET',
    url,
    ip: ip ?? peerAddress, // the member from which the client's address is read
    [IS_PEER_ADDRESS]: ip === undefined,
    headers:
      accessToken === undefined || headers['authorization'] !== undefined
        ? headers
        : { ...headers, authorization: `${scheme} ${accessToken}` },
  };
}

/**
 * A browser always names the origin of a WebSocket. The polling with which socket.io begins is an ordinary GET, which names
 * its origin only across origins; `Sec-Fetch-Site: same-origin` then takes its place.
 */
function mayUseCookies(request: HttpRequest, config: SessionConfig, userContext: UserContext): boolean {
  const origin = request.getHeaderValue('origin');
  if (origin === undefined) return request.getHeaderValue('sec-fetch-site') === 'same-origin';
  const { allowedOrigins, appInfo } = config;
  return (allowedOrigins ?? [appInfo.websiteOrigin({ request, userContext }), appInfo.apiDomain]).includes(
    origin,
  );
}
