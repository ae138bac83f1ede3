import { Inject, Injectable } from '@nestjs/common';
import { SESSION_RUNTIME } from '../session.constants.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { withTimeout } from '../util/with-timeout.js';

/**
 * The health of sessions, in the form of Terminus 11 and newer.
 *
 * @publicApi
 */
export type SessionHealth<Key extends string> = Record<
  Key,
  { readonly status: 'up' } | { readonly status: 'down'; readonly message: string }
>;

const TIMEOUT_MS = 3000;

/**
 * Says whether the core, and the store behind it, respond: a health indicator for `@nestjs/terminus`, which this package does not need.
 * Put it into the providers of the module that has your health route. While it is down, sign-in and refresh get 503, while requests with
 * an access token at hand go on: use it for readiness and not for liveness.
 *
 * @example
 * this.health.check([() => this.sessions.isHealthy('sessions')])
 * @publicApi
 */
@Injectable()
export class SessionHealthIndicator {
  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {}

  /**
   * Asks the core once. The result has neither addresses nor messages of drivers, because health routes are often public.
   *
   * @param key the name in the report; default `sessions`
   * @param timeoutMs how long the core may take, milliseconds; default 3000
   */
  async isHealthy<const Key extends string = 'sessions'>(
    key?: Key,
    { timeoutMs = TIMEOUT_MS }: { timeoutMs?: number } = {},
  ): Promise<SessionHealth<Key>> {
    const name = key ?? ('sessions' as Key);
    try {
      await withTimeout(this.runtime.core.ping(), timeoutMs, 'The core takes too long');
      return { [name]: { status: 'up' } } as SessionHealth<Key>;
    } catch {
      const message = 'the core of the sessions does not respond';
      return { [name]: { status: 'down', message } } as SessionHealth<Key>;
    }
  }
}
