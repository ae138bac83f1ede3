import type { CoreClient } from '../core/core-client.js';
import type { DbscBinding } from '../device-binding/dbsc.js';
import { OtherAddressError, ProofError } from '../device-binding/proof.js';
import { readBareOrQuoted } from '../device-binding/structured-header.js';
import { UnauthorisedError } from '../errors.js';
import type { SessionRequest } from '../http/session-request.js';
import type { TokenTransport } from '../http/token-transport.js';
import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import type { JsonObject } from '../util/json.js';
import { readConfirmation } from '../util/key-confirmation.js';
import { confirmKey } from './key-bindings.js';
import type { SessionContainer } from './session-container.js';
import type { SessionRecipe } from './session-recipe.js';
import type { SessionReports } from './session-reports.js';

/** The parts that the routes work with. */
export interface DeviceRouteParts {
  readonly recipe: SessionRecipe;
  readonly dbsc: DbscBinding;
  readonly transport: TokenTransport;
  readonly verifier: AccessTokenVerifier;
  readonly reports: SessionReports;
  readonly core: Pick<CoreClient, 'changeAccessTokenPayload'>;
}

/** A response to the browser's own request. */
export interface DeviceResponse {
  readonly status: number;
  readonly body: JsonObject;
}

/**
 * The two routes that browsers call by themselves: to register the key of a session, and to renew its bound cookie. A browser ends
 * the binding at any 4xx but a 403 with a challenge, so whatever may pass later is a 503 (D44, D45).
 */
export class DeviceRoutes {
  constructor(private readonly parts: DeviceRouteParts) {}

  /** `POST <base>/session/device/register`: binds the session of the request's access token to the key in the proof. */
  async register(request: SessionRequest): Promise<DeviceResponse> {
    const { dbsc, reports } = this.parts;
    protect(request);
    const session = await this.sessionOfCookie(request);
    const sessionHandle = session.getHandle();
    const proof = readBareOrQuoted(request.request.getHeaderValue('secure-session-response'));
    try {
      if (proof === undefined) throw new ProofError('there is none'); // such a key would never be seen (D13)
      const confirmation = await dbsc.register(request, proof, sessionHandle);
      const known = readConfirmation(session.getAccessTokenPayload());
      const bound = known ?? (await session.bindToKey(confirmation));
      if (bound?.jkt !== confirmation.jkt) throw new ProofError('the session is bound to another key');
      dbsc.cookie.write(request, { sessionHandle, confirmation: bound });
      request.response.setHeader('Secure-Session-Challenge', dbsc.challenge('refresh', sessionHandle));
      if (known === undefined) reports.device('device.registered', session.toJSON(), request.userContext);
      return { status: 200, body: dbsc.instructions(request, sessionHandle) };
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      reports.device('device.proof-refused', session.toJSON(), request.userContext, error.message);
      const message = error instanceof OtherAddressError ? error.message : 'proof refused';
      return { status: 403, body: { message } };
    }
  }

  /** `POST <base>/session/device/refresh`: a live cookie for a proof of the key. */
  async renew(request: SessionRequest): Promise<DeviceResponse> {
    const { dbsc, recipe, reports, core } = this.parts;
    const { response, userContext } = request;
    protect(request);
    const sessionHandle = readBareOrQuoted(request.request.getHeaderValue('sec-secure-session-id'));
    // Scripts cannot set this header, so the request comes from the browser itself (D5).
    if (sessionHandle === undefined) return { status: 400, body: { message: 'no session identifier' } };
    const presented = await this.findPresented(request);
    if (presented !== undefined && presented !== sessionHandle) return ended(sessionHandle);
    const session = await recipe.getSessionInformation({ sessionHandle, userContext });
    const confirmation = session && readConfirmation(session.customClaimsInAccessTokenPayload);
    if (session === undefined || confirmation?.via !== 'dbsc') return ended(sessionHandle);
    const proof = readBareOrQuoted(request.request.getHeaderValue('secure-session-response'));
    if (proof === undefined) return this.challenge(request, sessionHandle, 'refresh');
    const result = await dbsc.renew(proof, { sessionHandle, confirmation });
    if (result.status !== 'ok') {
      // A stranger who knows a handle cannot fill the record.
      if (presented !== undefined)
        reports.device('device.proof-refused', session, userContext, result.message);
      return result.status === 'retry'
        ? this.challenge(request, sessionHandle, 'retry')
        : ended(sessionHandle);
    }
    if (confirmation.confirmed !== true) await confirmKey(core, sessionHandle, confirmation, userContext);
    dbsc.cookie.write(request, { sessionHandle, confirmation });
    response.setHeader('Secure-Session-Challenge', dbsc.challenge('refresh', sessionHandle));
    reports.device('device.refreshed', session, userContext);
    return { status: 200, body: dbsc.instructions(request, sessionHandle) };
  }

  private challenge(
    { response }: SessionRequest,
    sessionHandle: string,
    purpose: 'refresh' | 'retry',
  ): DeviceResponse {
    response.setHeader('Secure-Session-Challenge', this.parts.dbsc.challenge(purpose, sessionHandle));
    return { status: 403, body: { message: 'a proof is expected' } };
  }

  /**
   * Verifies the access token of the cookie alone. The origin of the request need not be judged: a page that made it would not have
   * the challenge, which is bound to the session.
   */
  private async sessionOfCookie(request: SessionRequest): Promise<SessionContainer> {
    const { recipe, transport } = this.parts;
    const mark = transport.mark;
    const { token: accessToken, isDuplicated } = transport.readCookie(request, 'access');
    if (isDuplicated) throw new UnauthorisedError('Two access tokens came at once', { clearTokens: false });
    const options = { antiCsrfCheck: false, overrideGlobalClaimValidators: () => [] };
    const session = await recipe.verbs.verify.fromToken(
      { accessToken, antiCsrfToken: undefined },
      options,
      request.userContext,
    );
    if (session === undefined) throw new UnauthorisedError('There is no session', { clearTokens: false });
    session.attach(request, 'cookie', mark);
    return session;
  }

  /**
   * Returns the session of the request's access token, genuine and alone. If it is another one than the browser renews, the user has signed
   * in anew since: the older key must not renew the cookie in place of the newer one.
   */
  private async findPresented(request: SessionRequest): Promise<string | undefined> {
    const { transport, verifier } = this.parts;
    const { token, isDuplicated } = transport.readCookie(request, 'access');
    return token === undefined || isDuplicated ? undefined : verifier.findSession(token);
  }
}

/** The session is over, or was never bound: the browser forgets its key and goes on without. */
function ended(sessionHandle: string): DeviceResponse {
  return { status: 200, body: { session_identifier: sessionHandle, continue: false } };
}

function protect({ response }: SessionRequest): void {
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Frame-Options', 'DENY');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
}
