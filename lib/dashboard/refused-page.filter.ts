import { Catch, HttpException, Inject, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { SessionError } from '../errors.js';
import { requestPath } from '../http/request-path.js';
import { SESSION_RUNTIME } from '../session.constants.js';
import { isHandledError } from '../sessions/error-rules.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { urlOf } from './dashboard-input.js';
import { DashboardResponse } from './dashboard-response.js';
import { fillPage, PageFiles } from './page-files.js';

const REASONS: Readonly<Record<string, { readonly title: string; readonly advice: string }>> = {
  '401': {
    title: 'You are not signed in',
    advice: 'Sign in to the application with cookies, on this address, and load this page again.',
  },
  '403': {
    title: 'This page is not open to you',
    advice: 'Your session is good, but it does not have the rights that this page asks for.',
  },
  '503': {
    title: 'The sessions are out of reach',
    advice:
      'The core or its store does not respond, so the page cannot let you in. Load this page again in a while.',
  },
};

/**
 * Shows a person why the page is closed, with the status of the error. It holds no data of sessions. If the access token has only
 * expired, its script refreshes the session and loads the page again.
 */
@Catch()
export class RefusedPageFilter extends BaseExceptionFilter<unknown> {
  constructor(
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
    private readonly response: DashboardResponse,
    private readonly files: PageFiles,
  ) {
    super();
  }

  override catch(error: unknown, host: ArgumentsHost): void {
    const status = this.statusOf(error);
    const reason = REASONS[`${status}`];
    if (reason === undefined) {
      // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- not the one of promises
      super.catch(error, host);
      return;
    }
    const isRenewable = SessionError.isSessionError(error) && error.type === 'TRY_REFRESH_TOKEN';
    const values = {
      ...reason,
      ...pageValues(host.switchToHttp().getRequest(), this.runtime),
      ...(!isRenewable && { refresh: '' }),
    };
    this.response.send(host.switchToHttp().getResponse(), fillPage(this.files.refused, values), status);
  }

  private statusOf(error: unknown): number | undefined {
    if (isHandledError(error)) {
      if (!SessionError.isSessionError(error)) return this.runtime.errorResponder.status(error);
      return error.type === 'INVALID_CLAIMS' ? 403 : 401; // the application may have other ones for its own routes
    }
    return error instanceof HttpException ? error.getStatus() : undefined;
  }
}

/**
 * Returns what the places of a page are filled with: `refresh`, where it refreshes its session, and `expired`, the status of a response that
 * asks for that. The first is empty if refreshes need an anti-CSRF token, because the page would take it away from the application's client,
 * which keeps it.
 */
export function pageValues(
  req: unknown,
  { config }: SessionRuntime,
): Record<'base' | 'refresh' | 'expired', string> {
  const { antiCsrf, refreshTokenPath, sessionExpiredStatusCode } = config;
  return {
    base: baseOf(requestPath(urlOf(req))),
    refresh: antiCsrf === 'VIA_TOKEN' ? '' : refreshTokenPath,
    expired: `${sessionExpiredStatusCode}`,
  };
}

/** Returns the text between the page's address and its files: a browser resolves them beside the page, or below it. */
function baseOf(path: string): string {
  return path.endsWith('/') ? '' : `${path.slice(path.lastIndexOf('/') + 1)}/`;
}
