import { Injectable } from '@nestjs/common';
import { SessionEvents, type SessionContainer } from 'nest-sessions';

/**
 * DEMO ONLY, never do this in an application: keeps a copy of the refresh token of each sign-in, as malware on the user's
 * machine would.
 */
@Injectable()
export class Thief {
  private readonly loot = new Map<string, string>();
  private readonly retired = new Set<string>();

  constructor(events: SessionEvents) {
    events.stream.subscribe((event) => {
      if (event.type === 'session.refreshed') this.retired.add(event.sessionHandle);
      if (event.type === 'session.revoked') this.forget(event.sessionHandle);
    });
  }

  /** Copies the refresh token of a new session. */
  copyRefreshToken(session: SessionContainer): void {
    const { refreshToken } = session.getAllSessionTokensDangerously();
    if (refreshToken !== undefined) this.loot.set(session.getHandle(), refreshToken);
  }

  /** The stolen token, once the browser has refreshed; undefined before. */
  retiredToken(sessionHandle: string): string | undefined {
    return this.retired.has(sessionHandle) ? this.loot.get(sessionHandle) : undefined;
  }

  private forget(sessionHandle: string): void {
    this.loot.delete(sessionHandle);
    this.retired.delete(sessionHandle);
  }
}
