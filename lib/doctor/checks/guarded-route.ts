import { exchangeName, finalResponse, jsonBody } from '../exchange.js';
import type { Facts } from '../facts.js';
import { error, ok, warning, type Finding } from '../finding.js';

/** Checks how a guarded route of the application refuses a request without a session. */
export function checkGuardedRoute({ exchanges: { guarded } }: Facts): Finding[] {
  const response = finalResponse(guarded);
  if (guarded === undefined || response === undefined) return [];
  const { status } = response;
  const seen = `${exchangeName(guarded)} returns ${status} to a client without a session`;
  if (status >= 500) {
    return [
      error('routes.guarded', seen, {
        why: 'The client refreshes and signs in again on 401 only, and error trackers count every such visitor as a failure.',
        fix:
          'A filter of the application turns every error into a server error: let it use getStatus() of the exception, or let ' +
          'SessionExceptionFilter respond to the errors that its answers() recognises.',
      }),
    ];
  }
  if (status < 300) {
    return [
      error('routes.guarded', seen, {
        why: 'The route is open: everyone can call it.',
        fix: "Put @UseGuards(SessionGuard) on it, or guard every route by SessionModule.forRoot({ guard: 'global' }).",
      }),
    ];
  }
  const message = jsonBody(response)?.['message'];
  if (message === 'unauthorised' || message === 'try refresh token') return [ok('routes.guarded', seen)];
  return [
    warning('routes.guarded', `${seen}, and not as the guard does`, {
      why: 'Another guard, a filter or a proxy responds in its place, so the client may not know that it should refresh.',
      fix: 'Compare the path with that of the route, and look for what responds to it first.',
    }),
  ];
}
