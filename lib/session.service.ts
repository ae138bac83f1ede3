import { Inject, Injectable } from '@nestjs/common';
import { SESSION_RUNTIME } from './session.constants.js';
import { SessionFunctions } from './sessions/session-functions.js';
import type { SessionRuntime } from './sessions/session-runtime.js';

/**
 * The functions of the session recipe. The request-bound ones take the request and response as Nest injects them
 * (`@Req()`, `@Res({ passthrough: true })`) and read and write tokens there; the others take one object.
 *
 * Besides the errors of each, all of them may throw `CoreUnavailableError` and `CoreResponseError`, which
 * `SessionExceptionFilter` turns into 503 and 502.
 *
 * @publicApi
 */
@Injectable()
export class SessionService extends SessionFunctions {
  constructor(@Inject(SESSION_RUNTIME) runtime: SessionRuntime) {
    super(runtime);
  }
}
