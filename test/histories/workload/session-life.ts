import { setTimeout as delay } from 'node:timers/promises';
import type { Actor } from '../checker/history.js';
import type { Brought, FleetClient } from './fleet-client.js';
import type { HeldTokens, SessionRecord } from './session-record.js';

/** How the parties of a session behave. */
export interface Pace {
  /** The longest pause of a tab between two calls, milliseconds. */
  readonly pauseMs: number;
  /** Whether somebody copies the tokens. */
  readonly hasThief: boolean;
}

/** The share of the responses that get lost on their way to the browser. */
const LOST = 0.03;
/** The most names that a session stores, so that its access tokens stay small. */
const MOST_NAMES = 24;

/**
 * A session with its parties: two tabs of one browser, which share their tokens and refresh one after the other, and sometimes a thief.
 * An administrator comes from the outside.
 */
export class SessionLife {
  isOver = false;
  /** Whether its owner was told that it has ended. */
  isSignedOut = false;
  private browser: HeldTokens;
  private refreshing: Promise<unknown> = Promise.resolve();
  private names = 0;
  private readonly working: Promise<void>[] = [];

  constructor(
    private readonly client: FleetClient,
    readonly record: SessionRecord,
    tokens: HeldTokens,
    private readonly pace: Pace,
    private readonly random: () => number,
  ) {
    this.browser = tokens;
  }

  start(): void {
    this.working.push(this.tab(), this.tab());
    if (this.pace.hasThief) this.working.push(this.thief());
  }

  /** Ends when all parties have ended, after the tokens of the line were tried once more. */
  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.working);
    await this.audit();
  }

  get sessionHandle(): string {
    return this.record.sessionHandle;
  }

  /** Signs out in the browser. */
  async signOut(): Promise<Brought> {
    const { access } = this.browser;
    const asked = { kind: 'sign-out', token: access.token } as const;
    return this.client.call(this.record, 'owner', asked, {
      method: 'POST',
      path: '/auth/signout',
      token: access.text,
    });
  }

  /** The administrator stores something, or looks at the session. */
  async administrate(): Promise<void> {
    const { sessionHandle } = this;
    const kind = this.oneOf('merge', 'claim', 'read');
    const order =
      kind === 'read' || this.names >= MOST_NAMES
        ? ({ kind: 'read', sessionHandle } as const)
        : ({ kind, sessionHandle, name: this.newName(kind === 'merge' ? 'd' : 'c') } as const);
    await this.client.order(this.record, order);
  }

  private async tab(): Promise<void> {
    while (!this.isOver) {
      const held = this.browser;
      const dice = this.random();
      const brought =
        dice < 0.22
          ? await this.takeTurns(held)
          : await this.request('owner', held, dice < 0.32 ? 'claim' : dice < 0.6 ? 'checked' : 'guarded');
      if (dice >= 0.22) this.keep(brought);
      const status = brought?.result?.status;
      if (status === 'UNAUTHORISED' || status === 'THEFT') this.isSignedOut = true;
      if (status === 'TRY_REFRESH') await this.takeTurns(held);
      const pauseMs = this.isSignedOut ? Math.max(this.pace.pauseMs, 200) : this.pace.pauseMs;
      await this.pause(status === undefined ? Math.max(pauseMs, 150) : pauseMs);
    }
  }

  /** Stores what came with a response, unless the response gets lost. */
  private keep(brought: Brought | undefined): void {
    const tokens = brought?.tokens;
    if (tokens === undefined || this.random() < LOST) return;
    // A response that comes late must not bring back an older refresh token.
    this.browser = { access: tokens.access, refresh: this.browser.refresh };
  }

  /** Refreshes in turn with the other tab, and not at all if that has just done it. @param seen the tokens that were too old */
  private async takeTurns(seen: HeldTokens): Promise<Brought | undefined> {
    const turn = this.refreshing.then(async () => {
      if (this.browser.refresh.name !== seen.refresh.name) return undefined;
      const brought = await this.refresh('owner', seen);
      const { tokens } = brought;
      if (tokens !== undefined && this.random() >= LOST) this.browser = tokens;
      return brought;
    });
    this.refreshing = turn.catch(() => undefined);
    return turn;
  }

  private async refresh(actor: Actor, held: HeldTokens): Promise<Brought> {
    const { name, text } = held.refresh;
    const request = { method: 'POST', path: '/auth/session/refresh', token: text } as const;
    const asked = { kind: 'refresh', token: name } as const;
    return this.client.call(this.record, actor, asked, { ...request, isPatient: actor === 'owner' }, held);
  }

  private async request(
    actor: Actor,
    held: HeldTokens,
    kind: 'guarded' | 'checked' | 'claim',
  ): Promise<Brought> {
    const { token, text } = held.access;
    if (kind === 'claim' && this.names < MOST_NAMES) {
      const asked = { kind: 'claim-by-token', token, name: this.newName('c') } as const;
      const body = { name: asked.name };
      const request = { method: 'POST', path: '/claim-by-token', token: text, body } as const;
      return this.client.call(this.record, actor, asked, request, held);
    }
    const checksDatabase = kind === 'checked';
    const asked = { kind: 'request', token, checksDatabase } as const;
    const path = checksDatabase ? '/checked' : '/guarded';
    return this.client.call(this.record, actor, asked, { method: 'GET', path, token: text }, held);
  }

  /** Copies the tokens of the browser at some time, and uses the copy. */
  private async thief(): Promise<void> {
    await this.pause(this.pace.pauseMs * 20 + 500);
    let held = this.browser;
    for (let n = 0; n < 4 + this.random() * 6 && !this.isOver; n++) {
      const brought =
        this.random() < 0.5
          ? await this.refresh('thief', held)
          : await this.request('thief', held, this.oneOf('checked', 'guarded', 'claim'));
      held = brought.tokens ?? held;
      await this.pause(this.pace.pauseMs + 100);
    }
  }

  /** Presents the refresh tokens of the line once more, the youngest first: two of them at most are good. */
  private async audit(): Promise<void> {
    const youngest = this.record.refreshTokens.slice(-4).toReversed();
    for (const refresh of youngest) await this.refresh('auditor', { ...this.browser, refresh });
    await this.request('auditor', this.browser, 'checked');
    await this.client.order(this.record, { kind: 'read', sessionHandle: this.sessionHandle });
  }

  private async pause(longestMs: number): Promise<void> {
    const endsAt = performance.now() + this.random() * longestMs;
    // In pieces, so that a run ends soon.
    while (!this.isOver && performance.now() < endsAt) await delay(Math.min(endsAt - performance.now(), 200));
  }

  private newName(letter: 'c' | 'd'): string {
    return `${letter}${this.names++}`;
  }

  private oneOf<T>(...values: readonly [T, ...T[]]): T {
    return values[Math.floor(this.random() * values.length)] ?? values[0];
  }
}
