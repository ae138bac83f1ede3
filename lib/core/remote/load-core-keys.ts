import type { PublicJwk } from '../../util/verification-keys.js';
import { jwksRequest } from './cdi-requests.js';
import { parsePublicKeys } from './cdi-responses.js';
import { attemptError, errorOfStatus, unavailable } from './core-call-errors.js';
import type { CoreHost } from './core-host.js';
import { WireFailure, type HttpTransport, type WireAnswer } from './http-transport.js';
import { isTemporary } from './retry-policy.js';
import { understand } from './understand-answer.js';

/**
 * The published keys of one host. They are public: neither the API key nor a version goes with the request, and no
 * network interceptor sees it.
 *
 * @throws {CoreUnavailableError} the host did not answer, or cannot for now (status 429, 502, 503, 504)
 * @throws {CoreResponseError} it answered something else than a set of keys
 * @see docs/protocol/sdk.md §4.5
 */
export async function loadCoreKeys(transport: HttpTransport, host: CoreHost): Promise<readonly PublicJwk[]> {
  const request = jwksRequest();
  const answer = await fetchKeys(transport, host);
  const { status } = answer;
  if (isTemporary(status))
    throw unavailable(request, [attemptError(request, host, `status ${status}`, { status })]);
  if (status !== 200) throw errorOfStatus(request, host, answer, []);
  return understand(request, { ...answer, host }, parsePublicKeys);
}

async function fetchKeys(transport: HttpTransport, host: CoreHost): Promise<WireAnswer> {
  const request = jwksRequest();
  const url = new URL(host.origin + host.basePath + request.path);
  try {
    return await transport.send({ method: request.method, url, headers: {} });
  } catch (error) {
    if (!(error instanceof WireFailure)) throw error;
    throw unavailable(request, [attemptError(request, host, error.message)]);
  }
}
