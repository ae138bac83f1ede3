import { BadRequestException, Inject, Injectable, NotFoundException } from '@nestjs/common';
import { PublicAccess } from './decorators/verify-session.decorator.js';
import { signOut } from './sessions/api-implementation.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import { SESSION_RUNTIME } from './session.constants.js';
import { isJsonObject } from './util/json.js';
import { getExchange } from './http/http-exchange-factory.js';
import type { SessionRouteName } from './http/session-route-table.js';

/**
 * The handlers of the module's own routes: translate HTTP, decide nothing. Each returns the body of a 200.
 *
 * Nest runs the application's global guards, interceptors and filters around them; `@PublicAccess` because refresh and
 * sign-out look at tokens by their own rules.
 */
@Injectable()
@PublicAccess()
export class SessionController implements Record<
  SessionRouteName,
  (req: unknown, res: unknown) => Promise<unknown>
> {
  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {}

  async refresh(req: unknown, res: unknown): Promise<unknown> {
    await this.runtime.api.refreshPOST?.(this.input(req, res));
    return {};
  }

  async signOut(req: unknown, res: unknown): Promise<unknown> {
    return signOut(this.runtime, this.runtime.api, this.input(req, res));
  }

  async jwks(req: unknown, res: unknown): Promise<unknown> {
    const input = this.input(req, res);
    const answer = await this.runtime.api.getJWKSGET?.(input);
    if (answer !== undefined && 'status' in answer) return answer;
    allowEveryOrigin(input);
    return answer;
  }

  async openIdDiscovery(req: unknown, res: unknown): Promise<unknown> {
    const input = this.input(req, res);
    const answer = await this.runtime.api.getOpenIdDiscoveryConfigurationGET?.(input);
    if (answer === undefined || answer.status !== 'OK') return answer;
    allowEveryOrigin(input);
    const { status: _status, ...document } = answer;
    return document;
  }

  async listSessions(req: unknown, res: unknown): Promise<unknown> {
    const { options, userContext } = this.input(req, res);
    return this.runtime.userSessions?.list(options.exchange, userContext);
  }

  async revokeSession(req: unknown, res: unknown): Promise<unknown> {
    const { options, userContext } = this.input(req, res);
    const sessionHandle = readSessionHandle(req);
    const isRevoked = await this.runtime.userSessions?.revoke(options.exchange, sessionHandle, userContext);
    if (isRevoked !== true) throw new NotFoundException('There is no such session');
    return { status: 'OK' };
  }

  async revokeOtherSessions(req: unknown, res: unknown): Promise<unknown> {
    const { options, userContext } = this.input(req, res);
    const revoked = await this.runtime.userSessions?.revokeOthers(options.exchange, userContext);
    return { status: 'OK', revoked };
  }

  /** A route whose API function was removed by an override does not exist. */
  isEnabled(name: SessionRouteName): boolean {
    const { api, userSessions } = this.runtime;
    const functions = {
      refresh: api.refreshPOST,
      signOut: api.signOutPOST,
      jwks: api.getJWKSGET,
      openIdDiscovery: api.getOpenIdDiscoveryConfigurationGET,
      listSessions: userSessions,
      revokeSession: userSessions,
      revokeOtherSessions: userSessions,
    };
    return functions[name] !== undefined;
  }

  private input(req: unknown, res: unknown) {
    return { options: { exchange: getExchange(req, res) }, userContext: this.runtime.prepareContext() };
  }
}

/** The `sessionHandle` of a JSON body. */
function readSessionHandle(req: unknown): string {
  const { body } = req as { readonly body?: unknown };
  const sessionHandle = isJsonObject(body) ? body['sessionHandle'] : undefined;
  if (typeof sessionHandle === 'string') return sessionHandle;
  throw new BadRequestException('A JSON body with the sessionHandle is expected');
}

/** Keys and discovery are public documents without credentials. */
function allowEveryOrigin({ options }: { options: { exchange: ReturnType<typeof getExchange> } }): void {
  options.exchange.response.setHeader('Access-Control-Allow-Origin', '*');
}
