import { createSessions, embeddedCore, type Sessions, type SessionStore } from 'nest-sessions/standalone';
import type { CliIo } from '../../lib/cli/io.js';
import { main } from '../../lib/cli/main.js';
import { TestClock } from '../../lib/testing/test-clock.js';

/** The output of a command, and its exit code. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Shell = (...argv: readonly string[]) => Promise<Outcome>;

/** A shell in which the command `nest-sessions` runs: by default in a script, without terminal and input. */
export function shell(io: Partial<CliIo> = {}): Shell {
  return async (...argv) => {
    let [stdout, stderr] = ['', ''];
    const code = await main(argv, {
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      isTerminal: false,
      columns: undefined,
      isErrorTerminal: false,
      ask: undefined,
      readInput: undefined,
      signal: new AbortController().signal,
      env: {},
      clock: new TestClock(),
      folder: process.cwd(),
      account: 'support',
      ...io,
    });
    return { code, stdout, stderr };
  };
}

export const APP_INFO = {
  appName: 'Shop',
  apiDomain: 'http://localhost:3000',
  websiteDomain: 'http://localhost:3000',
};

/** An instance of an application that keeps an audit trail, devices and a feed. */
export async function shopOn(store: SessionStore, clock: TestClock, pollMs = 60_000): Promise<Sessions> {
  const sessions = createSessions({
    appInfo: APP_INFO,
    core: embeddedCore({ store, signingAlgorithm: 'ES256', accessTokenValidityJitter: 0 }),
    devices: {},
    audit: true,
    revocationFeed: { pollMs },
    clock,
    logger: { error: () => undefined, warn: () => undefined },
  });
  await sessions.start();
  return sessions;
}

/** Signs a user in from a device. */
export async function signIn(
  sessions: Sessions,
  {
    userId,
    tenantId = 'public',
    userAgent = 'Firefox/130',
  }: { userId: string; tenantId?: string; userAgent?: string },
) {
  const session = await sessions.createNewSession(
    { method: 'POST', url: '/login', headers: { 'st-auth-mode': 'header', 'user-agent': userAgent } },
    { userId, tenantId },
  );
  const { accessToken, refreshToken = '' } = session.getAllSessionTokensDangerously();
  return { handle: session.getHandle(), accessToken, refreshToken };
}
