import { BadRequestException, Inject, Injectable, Logger, NotFoundException } from '@nestjs/common';
import type { SessionRouteName } from './options/session-routes.js';
import { SESSION_RUNTIME } from './session.constants.js';
import { PublicAccess } from './session.decorators.js';
import { RouteHandlers, RouteRefusedError } from './sessions/route-handlers.js';
import type { SessionRuntime } from './sessions/session-runtime.js';

/**
 * The handlers of the module's own routes, as Nest runs them: each returns the body of a 200.
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
  private readonly handlers: RouteHandlers;

  constructor(@Inject(SESSION_RUNTIME) runtime: SessionRuntime) {
    this.handlers = new RouteHandlers(runtime, new Logger('SessionModule'));
  }

  async refresh(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('refresh', req, res);
  }

  async signOut(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('signOut', req, res);
  }

  async jwks(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('jwks', req, res);
  }

  async openIdDiscovery(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('openIdDiscovery', req, res);
  }

  async listSessions(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('listSessions', req, res);
  }

  async revokeSession(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('revokeSession', req, res);
  }

  async revokeOtherSessions(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('revokeOtherSessions', req, res);
  }

  async registerDevice(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('registerDevice', req, res);
  }

  async renewDevice(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('renewDevice', req, res);
  }

  @PublicAccess()
  async revocations(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('revocations', req, res);
  }

  @PublicAccess()
  async backChannelLogout(req: unknown, res: unknown): Promise<unknown> {
    return this.serve('backChannelLogout', req, res);
  }

  private async serve(name: SessionRouteName, req: unknown, res: unknown): Promise<unknown> {
    try {
      return await this.handlers.serve(name, req, res);
    } catch (error) {
      if (!(error instanceof RouteRefusedError)) throw error;
      const Exception = error.status === 404 ? NotFoundException : BadRequestException;
      throw new Exception(error.message);
    }
  }
}
