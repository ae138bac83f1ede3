import { ForbiddenException, Inject, Injectable, type ExecutionContext } from '@nestjs/common';
import type { SharedSessions } from '../graphql/shared-sessions.js';
import { findGuardedCall } from '../rules/guarded-calls.js';
import { SESSION_RUNTIME, SHARED_SESSIONS } from '../session.constants.js';
import { SessionGuard } from '../session.guard.js';
import { getExchange } from '../sessions/request-state.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { ACTOR_CLAIM, PARENT_CLAIM } from '../util/delegation-claims.js';
import type { HttpRequest } from '../util/http-exchange.js';
import { ACTION_HEADER, DASHBOARD_CONFIG } from './dashboard.constants.js';
import type { DashboardConfig } from './dashboard-options.js';

const NOT_ALLOWED =
  'You may not see the sessions of others: the option authorize of the dashboard does not let you in';
const DELEGATED =
  'A session that was given to somebody, or that ends with another one, does not open the dashboard: sign in yourself';

/**
 * Lets a request through that comes from the dashboard's own page, with a session that `SessionGuard` accepts, which names
 * neither an actor nor a parent, and which the option `authorize` lets in. The first rule is stricter than that of other routes, and holds
 * for GET, too: no page of another origin reads or does anything here, whatever CORS, SameSite and anti-CSRF tokens of the application allow.
 */
@Injectable()
export class DashboardGuard extends SessionGuard {
  constructor(
    @Inject(SESSION_RUNTIME) private readonly application: SessionRuntime,
    @Inject(SHARED_SESSIONS) shared: SharedSessions,
    @Inject(DASHBOARD_CONFIG) private readonly config: DashboardConfig,
  ) {
    super(application, shared);
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const { req, res } = this.getRequestAndResponse(context);
    const isPage = context.getHandler().name === 'page';
    this.assertOwnPage(getExchange(req, res).request, isPage);
    if (!(await super.canActivate(context))) return false;
    const session = findGuardedCall(context)?.session;
    if (session === undefined) throw new ForbiddenException(NOT_ALLOWED); // a method without a session, as OPTIONS
    assertOwnSession(session);
    await this.authorize(session, req);
    return true;
  }

  private async authorize(session: SessionContainer, req: unknown): Promise<void> {
    const { authorize } = this.config;
    if (typeof authorize !== 'function') return session.assertClaims(authorize);
    const isAllowed: unknown = await authorize(session, req);
    if (isAllowed !== true) throw new ForbiddenException(NOT_ALLOWED);
  }

  private assertOwnPage(request: HttpRequest, isPage: boolean): void {
    const isAction = request.getMethod() !== 'get' && request.getMethod() !== 'head';
    if (isAction && request.getHeaderValue(ACTION_HEADER) === undefined) {
      throw new ForbiddenException(`Actions of the dashboard carry the header ${ACTION_HEADER}`);
    }
    if (isOwnPage(request, this.application.config.appInfo.apiDomain, isPage)) return;
    throw new ForbiddenException(
      'Only the dashboard itself may call this: the request comes from another page',
    );
  }
}

/** Refuses a session that names an actor or a parent, because the trail would name its user and not the one who acts. */
function assertOwnSession(session: SessionContainer): void {
  const payload = session.getAccessTokenPayload();
  if (Object.hasOwn(payload, ACTOR_CLAIM) || Object.hasOwn(payload, PARENT_CLAIM))
    throw new ForbiddenException(DELEGATED);
}

/**
 * Judges a request by Fetch Metadata, and by `Origin` where a browser sends no such headers. A navigation to the page passes from
 * anywhere, because a link to it is no access to what it shows; data, events and files are for its own script alone.
 */
function isOwnPage(request: HttpRequest, apiDomain: string, isPage: boolean): boolean {
  const site = request.getHeaderValue('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || (isPage && isNavigation(request));
  const origin = request.getHeaderValue('origin');
  if (origin === undefined || origin === apiDomain) return true;
  return URL.canParse(origin) && new URL(origin).host === request.getHeaderValue('host');
}

function isNavigation(request: HttpRequest): boolean {
  const isRead = request.getMethod() === 'get';
  return (
    isRead &&
    request.getHeaderValue('sec-fetch-mode') === 'navigate' &&
    request.getHeaderValue('sec-fetch-dest') === 'document'
  );
}
