import { STATUS_CODES } from 'node:http';
import { DeviceCheckUnavailableError, SessionError, UnauthorisedError } from '../errors.js';
import { errorReason } from '../events/printable.js';
import type { SessionRequest } from '../http/session-request.js';
import type { SessionRouteName } from '../options/session-routes.js';
import type { HttpResponse } from '../util/http-exchange.js';
import { isJsonObject, readMember } from '../util/json.js';
import type { SessionLogger } from '../util/session-logger.js';
import type { DeviceResponse, DeviceRoutes } from './device-routes.js';
import { isHandledError } from './error-rules.js';
import { signOut } from './session-api.js';
import type { SessionRuntime } from './session-runtime.js';

/** Seconds after which a browser may ask again. */
const RETRY_AFTER_SEC = 5;

/** The refusal of a route that is no matter of sessions: there is no such session, or the body is none. */
export class RouteRefusedError extends Error {
  constructor(
    readonly status: 400 | 404,
    message: string,
  ) {
    super(message);
  }

  /** The body of the response, as Nest writes it. */
  get body(): { message: string; error: string | undefined; statusCode: number } {
    return { message: this.message, error: STATUS_CODES[this.status], statusCode: this.status };
  }
}

/** @returns the body of a 200 */
type RouteHandler = (request: SessionRequest) => Promise<unknown>;

/**
 * The handlers of the module's own routes. They translate HTTP and decide nothing. Errors about sessions get their response
 * here; every other one is thrown.
 */
export class RouteHandlers {
  private readonly handlers: Readonly<Record<SessionRouteName, RouteHandler>> = {
    refresh: async (request) => {
      await this.runtime.api.refreshPOST?.(this.runtime.apiInput(request));
      return {};
    },
    signOut: async (request) => {
      const { verbs, api } = this.runtime;
      return signOut(verbs, api, request, this.runtime.apiInput(request).options);
    },
    jwks: async (request) => {
      const result = await this.runtime.api.getJWKSGET?.(this.runtime.apiInput(request));
      if (result === undefined || !('status' in result)) allowEveryOrigin(request.response);
      return result;
    },
    openIdDiscovery: async (request) => {
      const input = this.runtime.apiInput(request);
      const result = await this.runtime.api.getOpenIdDiscoveryConfigurationGET?.(input);
      if (result === undefined || result.status !== 'OK') return result;
      allowEveryOrigin(request.response);
      const { status: _status, ...document } = result;
      return document;
    },
    listSessions: async (request) => this.runtime.userSessions?.list(request),
    revokeSession: async (request) => {
      const readHandle = (): string => readSessionHandle(request.request.original);
      const isRevoked = await this.runtime.userSessions?.revoke(request, readHandle);
      if (isRevoked !== true) throw new RouteRefusedError(404, 'There is no such session');
      return { status: 'OK' };
    },
    revokeOtherSessions: async (request) => {
      const revoked = await this.runtime.userSessions?.revokeOthers(request);
      return { status: 'OK', revoked };
    },
    revocations: async (request) => {
      const page = await this.runtime.servedRevocations?.respond(request);
      if (page === undefined)
        throw new RouteRefusedError(400, 'A JSON body with a position, or with an access token, is expected');
      return page;
    },
    backChannelLogout: async (request) => {
      const { backChannelLogout, recipe } = this.runtime;
      const responded = await backChannelLogout?.respond(request, recipe);
      request.response.setStatusCode(responded?.status ?? 404);
      return responded?.body;
    },
    registerDevice: async (request) =>
      this.respondToBrowser(request, async (routes) => routes.register(request)),
    renewDevice: async (request) => this.respondToBrowser(request, async (routes) => routes.renew(request)),
  };

  constructor(
    private readonly runtime: SessionRuntime,
    private readonly logger: Pick<SessionLogger, 'error'>,
  ) {}

  /**
   * Runs the handler of a route, and responds to errors about sessions before a filter of the application sees them.
   *
   * @returns the body of a 200; undefined where the response to an error has been sent
   * @throws {RouteRefusedError} with another response
   */
  async serve(name: SessionRouteName, req: unknown, res: unknown): Promise<unknown> {
    const request = this.runtime.createRequest(req, res);
    try {
      return await this.handlers[name](request);
    } catch (error) {
      if (!isHandledError(error)) throw error;
      return this.runtime.errorResponder.send(error, request);
    }
  }

  /**
   * Runs the work of a route that browsers call by themselves. The response to every failure of ours is a 503, because at most
   * others the browser gives up its key for good.
   */
  private async respondToBrowser(
    request: SessionRequest,
    work: (routes: DeviceRoutes) => Promise<DeviceResponse>,
  ): Promise<unknown> {
    const routes = this.runtime.deviceRoutes;
    try {
      if (routes === undefined)
        throw new DeviceCheckUnavailableError('deviceBound.dbsc is off', RETRY_AFTER_SEC);
      const { status, body } = await work(routes);
      request.response.setStatusCode(status);
      return body;
    } catch (error) {
      if (error instanceof DeviceCheckUnavailableError) throw error;
      // No tokens are cleared: the user may have signed in anew since the browser sent this.
      if (SessionError.isSessionError(error))
        throw new UnauthorisedError(error.message, { clearTokens: false, cause: error });
      this.logger.error(errorReason(error));
      throw new DeviceCheckUnavailableError('The key of a browser cannot be checked', RETRY_AFTER_SEC, {
        cause: error,
      });
    }
  }
}

/** Reads the `sessionHandle` of a JSON body that a parser has read. */
function readSessionHandle(req: unknown): string {
  const body = readMember(req, 'body');
  const sessionHandle = isJsonObject(body) ? body['sessionHandle'] : undefined;
  if (typeof sessionHandle === 'string') return sessionHandle;
  throw new RouteRefusedError(
    400,
    'A JSON body { "sessionHandle": "…" } with the content type application/json is expected',
  );
}

/** Keys and discovery are public documents without credentials. */
function allowEveryOrigin(response: HttpResponse): void {
  response.setHeader('Access-Control-Allow-Origin', '*');
}
