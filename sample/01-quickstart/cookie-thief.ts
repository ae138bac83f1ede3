import { get } from 'node:https';
import { Injectable } from '@nestjs/common';
import { SessionEvents } from 'nest-sessions';
import { origin } from './settings.js';

/** The outcome of one use of the copy. */
export interface UseOfCopy {
  /** The status that the thief gets. */
  readonly thief: number;
  /** How often the owner's browser has renewed its bound cookie since the copy. */
  readonly renewals: number;
}

interface Loot {
  readonly cookie: string;
  renewals: number;
}

/**
 * DEMO ONLY, never do this in an application: keeps all cookies of a request and uses them, as malware on the user's machine
 * would that sends them home.
 */
@Injectable()
export class CookieThief {
  private readonly loot = new Map<string, Loot>();

  constructor(events: SessionEvents) {
    events.stream.subscribe((event) => {
      if (event.type === 'session.revoked') this.loot.delete(event.sessionHandle);
      if (event.type !== 'device.refreshed') return;
      const stolen = this.loot.get(event.sessionHandle);
      if (stolen !== undefined) stolen.renewals++;
    });
  }

  /** @param cookie the header of the request */
  copy(sessionHandle: string, cookie: string): void {
    this.loot.set(sessionHandle, { cookie, renewals: 0 });
  }

  /** Makes a guarded call with the copy; undefined if there is none. */
  async use(sessionHandle: string): Promise<UseOfCopy | undefined> {
    const stolen = this.loot.get(sessionHandle);
    if (stolen === undefined) return undefined;
    const thief = await statusOf('/demo/guarded', stolen.cookie);
    return { thief, renewals: stolen.renewals };
  }
}

async function statusOf(path: string, cookie: string): Promise<number> {
  return new Promise((resolve, reject) => {
    // The server is this process itself, so that its certificate need not be checked.
    const options = { headers: { cookie }, agent: false, rejectUnauthorized: false };
    get(origin + path, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });
}
