import { BadRequestException, Inject, Injectable, Logger, NotFoundException } from '@nestjs/common';
import type { SessionRequest } from './http/session-request.js';
import type { SessionRouteName } from './options/session-routes.js';
import { SESSION_RUNTIME } from './session.constants.js';
import { PublicAccess } from './session.decorators.js';
import { DeviceCheckUnavailableError, SessionError, UnauthorisedError } from './errors.js';
import { errorReason } from './events/printable.js';
import type { DeviceResponse, DeviceRoutes } from './sessions/device-routes.js';
import { isHandledError } from './sessions/error-rules.js';
import { signOut } from './sessions/session-api.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import type { HttpResponse } from './util/http-exchange.js';
import { isJsonObject } from './util/json.js';

/**
 * The handlers of the module's own routes. They translate HTTP and decide nothing; each returns the body of a 200.
 *
 * Nest runs the application's global guards before them. Its interceptors and pipes do not run: one that caches or wraps
 * what handlers return would show one user's sessions to another, or break the documents that other services read. Errors
 * about sessions get their response here, whatever filters there are. The handlers are public because refresh and sign-out
 * read tokens by their own rules.
 */
@Injectable()
@PublicAccess()
export class SessionController implements Record<
  SessionRouteName,
  (req: unknown, res: unknown) => Promise<unknown>
> {
  private readonly logger = new Logger('SessionModule');

  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {}

  async refresh(req: unknown, res: unknown): Promise<unknown> {
    return this.respond(req, res, async (request) => {
      await this.runtime.api.refreshPOST?.(this.runtime.apiInput(request));
      return {};
    });
  }

  async signOut(req: unknown, res: unknown): Promise<unknown> {
    const { verbs, api } = this.runtime;
    return this.respond(req, res, async (request) =>
      signOut(verbs, api, request, this.runtime.apiInput(request).options),
    );
  }

  async jwks(req: unknown, res: unknown): Promise<unknown> {
    return this.respond(req, res, async (request) => {
      const result = await this.runtime.api.getJWKSGET?.(this.runtime.apiInput(request));
      if (result === undefined || !('status' in result)) allowEveryOrigin(request.response);
      return result;
    });
  }

  async openIdDiscovery(req: unknown, res: unknown): Promise<unknown> {
    return this.respond(req, res, async (request) => {
      const result = await this.runtime.api.getOpenIdDiscoveryConfigurationGET?.(
        this.runtime.apiInput(request),
      );
      if (result === undefined || result.status !== 'OK') return result;
      allowEveryOrigin(request.response);
      const { status: _status, ...document } = result;
      return document;
    });
  }

  async listSessions(req: unknown, res: unknown): Promise<unknown> {
    return this.respond(req, res, async (request) => this.runtime.userSessions?.list(request));
  }

  async revokeSession(req: unknown, res: unknown): Promise<unknown> {
    return this.respond(req, res, async (request) => {
      const isRevoked = await this.runtime.userSessions?.revoke(request, () => readSessionHandle(req));
      if (isRevoked !== true) throw new NotFoundException('There is no such session');
      return { status: 'OK' };
    });
  }

  async revokeOtherSessions(req: unknown, res: unknown): Promise<unknown> {
    return this.respond(req, res, async (request) => {
      const revoked = await this.runtime.userSessions?.revokeOthers(request);
      return { status: 'OK', revoked };
    });
  }

  async registerDevice(req: unknown, res: unknown): Promise<unknown> {
    return this.respondToBrowser(req, res, async (routes, request) => routes.register(request));
  }

  async renewDevice(req: unknown, res: unknown): Promise<unknown> {
    return this.respondToBrowser(req, res, async (routes, request) => routes.renew(request));
  }

  /**
   * Runs the work of a route that browsers call by themselves. The response to every failure of ours is a 503, because at most
   * others the browser gives up its key for good.
   */
  private async respondToBrowser(
    req: unknown,
    res: unknown,
    work: (routes: DeviceRoutes, request: SessionRequest) => Promise<DeviceResponse>,
  ): Promise<unknown> {
    const routes = this.runtime.deviceRoutes;
    return this.respond(req, res, async (request) => {
      try {
        if (routes === undefined)
          throw new DeviceCheckUnavailableError('deviceBound.dbsc is off', RETRY_AFTER_SEC);
        const { status, body } = await work(routes, request);
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
    });
  }

  /** Runs the work of a route, and responds to errors about sessions before a filter of the application sees them. */
  private async respond(
    req: unknown,
    res: unknown,
    work: (request: SessionRequest) => Promise<unknown>,
  ): Promise<unknown> {
    const request = this.runtime.createRequest(req, res);
    try {
      return await work(request);
    } catch (error) {
      if (!isHandledError(error)) throw error;
      return this.runtime.errorResponder.send(error, request);
    }
  }
}

/** Reads the `sessionHandle` of a JSON body. */
function readSessionHandle(req: unknown): string {
  const { body } = req as { readonly body?: unknown };
  const sessionHandle = isJsonObject(body) ? body['sessionHandle'] : undefined;
  if (typeof sessionHandle === 'string') return sessionHandle;
  throw new BadRequestException(
    'A JSON body { "sessionHandle": "…" } with the content type application/json is expected',
  );
}

/** Keys and discovery are public documents without credentials. */
function allowEveryOrigin(response: HttpResponse): void {
  response.setHeader('Access-Control-Allow-Origin', '*');
}

/** Seconds after which a browser may ask again. */
const RETRY_AFTER_SEC = 5;
