import { JwksCache, type JwksCacheOptions } from '../../tokens/jwks-cache.js';
import { parsePublicKeys } from '../../tokens/published-keys.js';
import type { Clock } from '../../util/clock.js';
import { newestKeyMs, type PublicJwk } from '../../util/verification-keys.js';
import { jwksRequest, NO_CACHE_HEADERS } from './cdi-requests.js';
import { readResponse } from './cdi-responses.js';
import { attemptError, errorOfStatus, unavailable } from './core-call-errors.js';
import { describeResponse, isTemporary } from './host-exchange.js';
import type { CoreHost } from './host-pool.js';
import { HttpFailure, type HttpTransport, type HttpResponse } from './http-transport.js';

/** The published keys of a remote core. */
export class CoreKeys extends JwksCache<CoreHost> {
  constructor(clock: Clock, transport: HttpTransport, options: Omit<JwksCacheOptions<CoreHost>, 'load'>) {
    super(clock, { ...options, load: async (host) => loadCoreKeys(transport, host) });
  }

  get newestKeyMs(): number | undefined {
    return newestKeyMs(this.keys);
  }
}

/**
 * Loads the published keys of one host. They are public, so neither the API key nor a version is sent, and no network
 * interceptor sees the request.
 *
 * @throws {CoreUnavailableError} the host did not respond, or cannot for now (status 429, 502, 503, 504)
 * @throws {CoreResponseError} its response is no set of keys
 * @see docs/protocol/sdk.md §4.5
 */
async function loadCoreKeys(transport: HttpTransport, host: CoreHost): Promise<readonly PublicJwk[]> {
  const request = jwksRequest();
  const response = await fetchKeys(transport, host);
  const { status } = response;
  if (isTemporary(response))
    throw unavailable(request, [attemptError(request, host, describeResponse(response), { status })]);
  if (status !== 200) throw errorOfStatus(request, host, response, []);
  return readResponse(request, { ...response, host }, parsePublicKeys);
}

async function fetchKeys(transport: HttpTransport, host: CoreHost): Promise<HttpResponse> {
  const request = jwksRequest();
  const url = new URL(host.origin + host.basePath + request.path);
  try {
    // Loads are so rare that a kept connection would often be closed by then.
    const wire = { method: request.method, url, headers: NO_CACHE_HEADERS };
    return await transport.send(wire, { isNewConnection: true });
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    throw unavailable(request, [attemptError(request, host, error.message)]);
  }
}
