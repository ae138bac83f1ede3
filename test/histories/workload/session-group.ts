import { setTimeout as delay } from 'node:timers/promises';
import type { AdministratorOrder } from '../application/settings.js';
import type { CallResult, Asked, Call, History, Rules } from '../checker/history.js';
import type { FleetClient } from './fleet-client.js';
import { SessionLife } from './session-life.js';
import { readAccessToken, SessionRecord } from './session-record.js';

export interface GroupSettings {
  /** A tenant of its own, so that ending all of a tenant's sessions ends no others. */
  readonly tenantId: string;
  readonly rules: Rules;
  /** Whether its tabs rest so long that tokens and sessions expire. */
  readonly isSlow: boolean;
}

const ENDINGS = ['none', 'sign-out', 'revoke', 'revoke-user', 'revoke-all'] as const;

/** A call about all sessions of a user or a tenant. */
interface SharedCall {
  readonly call: Call;
  readonly userId: string | undefined;
  /** The sessions that it said it has ended. */
  readonly handles: readonly string[] | undefined;
}

/** Sessions of two users of one tenant, from their sign-in to their end. */
export class SessionGroup {
  private readonly lives: SessionLife[] = [];
  private readonly shared: SharedCall[] = [];

  constructor(
    private readonly client: FleetClient,
    private readonly settings: GroupSettings,
    private readonly random: () => number,
    private readonly isOver: () => boolean,
  ) {}

  /** Lives through all of it. @returns the histories of its sessions */
  async run(): Promise<readonly History[]> {
    const count = 1 + Math.floor(this.random() * 3);
    const signingIn = Array.from({ length: count }, async (_, n) => this.signIn(`user-${n % 2}`));
    const [first] = await Promise.all(signingIn);
    const { isSlow } = this.settings;
    const longestMs = isSlow ? 75_000 : 20_000;
    const endsAt = performance.now() + longestMs * (0.3 + 0.7 * this.random());
    const budget = 30 + this.random() * 60;
    while (!this.isOver() && performance.now() < endsAt && this.isWanted(budget)) {
      const life = this.lives[Math.floor(this.random() * this.lives.length)];
      await life?.administrate();
      await this.pause(isSlow ? 4000 : 60);
    }
    if (first !== undefined) await this.endOne(first);
    await this.pause(2500);
    await Promise.all(this.lives.map(async (life) => life.end()));
    return this.lives.map(({ record }) => record.history(this.callsAbout(record)));
  }

  /** Returns whether some session lives and has not had its calls. */
  private isWanted(budget: number): boolean {
    return this.lives.some(({ isSignedOut, record }) => !isSignedOut && record.size < budget);
  }

  /** Signs in until it works, and starts the parties of the session. */
  private async signIn(userId: string): Promise<SessionLife | undefined> {
    const { tenantId, rules, isSlow } = this.settings;
    const isLimited = this.random() < (isSlow ? 0.7 : 0.2);
    const body = { userId, tenantId, ...(isLimited ? { absoluteSec: ABSOLUTE_SEC } : {}) };
    while (!this.isOver()) {
      const exchange = await this.client.exchange({ method: 'POST', path: '/sign-in', body });
      const { response, endedMs, ...times } = exchange;
      const access = response?.headers['st-access-token'];
      const refresh = response?.headers['st-refresh-token'];
      if (response?.status !== 201 || typeof access !== 'string' || typeof refresh !== 'string') {
        this.client.count('sign-in', response === undefined ? 'unknown' : `${response.status}`);
        if (response !== undefined) this.client.unexpected.push(`${response.status} ${response.text}`);
        await delay(100);
        continue;
      }
      this.client.count('sign-in', 'OK');
      const { sessionHandle } = JSON.parse(response.text) as { sessionHandle: string };
      const limited = { ...rules, ...(isLimited ? { absoluteMs: ABSOLUTE_SEC * 1000 } : {}) };
      const record = new SessionRecord(sessionHandle, userId, limited);
      const refreshToken = record.refreshToken(refresh, null);
      const token = readAccessToken(access, refreshToken.name);
      const result: CallResult = { status: 'OK', refreshToken: refreshToken.name, accessToken: token };
      const asked: Asked = { kind: 'sign-in' };
      record.add({ id: this.client.nextId(), actor: 'owner', ...times, endedMs, asked, result });
      const pace = { pauseMs: isSlow ? 12_000 : 60, hasThief: this.random() < 0.35 };
      const tokens = { access: { text: access, token }, refresh: refreshToken };
      const life = new SessionLife(this.client, record, tokens, pace, this.random);
      this.lives.push(life);
      life.start();
      return life;
    }
    return undefined;
  }

  private async endOne(life: SessionLife): Promise<void> {
    const ending = ENDINGS[Math.floor(this.random() * ENDINGS.length)];
    const { tenantId } = this.settings;
    const { sessionHandle, record } = life;
    if (ending === 'sign-out') await life.signOut();
    if (ending === 'revoke') await this.client.order(record, { kind: 'revoke', sessionHandle });
    if (ending === 'revoke-user')
      await this.orderAboutMany({ kind: 'revoke-user', tenantId, userId: record.userId });
    if (ending === 'revoke-all') await this.orderAboutMany({ kind: 'revoke-all', tenantId });
  }

  private async orderAboutMany(
    order: Extract<AdministratorOrder, { kind: 'revoke-user' | 'revoke-all' }>,
  ): Promise<void> {
    const request = { method: 'POST', path: '/administrator', body: order } as const;
    const exchange =
      order.kind === 'revoke-all'
        ? await this.client.exchangeWithDoubt(request)
        : await this.client.exchange(request);
    const { response, endedMs, ...times } = exchange;
    const isKnown = response?.status === 200;
    if (response !== undefined && !isKnown)
      this.client.unexpected.push(`${response.status} ${response.text}`);
    this.client.count(order.kind, isKnown ? 'OK' : 'unknown');
    const call: Call = {
      id: this.client.nextId(),
      actor: 'administrator',
      ...times,
      ...(isKnown ? { endedMs } : {}),
      asked: { kind: order.kind },
    };
    const { handles } = isKnown ? (JSON.parse(response.text) as { handles?: string[] }) : {};
    this.shared.push({ call, userId: order.kind === 'revoke-user' ? order.userId : undefined, handles });
  }

  /** Returns the calls about many sessions as they concern one. */
  private callsAbout({ userId, sessionHandle }: SessionRecord): readonly Call[] {
    return this.shared
      .filter((shared) => shared.userId === undefined || shared.userId === userId)
      .map(({ call, handles }) => {
        if (call.endedMs === undefined) return call;
        const isGone = handles !== undefined && !handles.includes(sessionHandle);
        return { ...call, result: { status: isGone ? ('GONE' as const) : ('OK' as const) } };
      });
  }

  private async pause(longestMs: number): Promise<void> {
    const endsAt = performance.now() + this.random() * longestMs;
    while (!this.isOver() && performance.now() < endsAt)
      await delay(Math.min(endsAt - performance.now(), 200));
  }
}

/** The shortest that the library takes. */
const ABSOLUTE_SEC = 60;
