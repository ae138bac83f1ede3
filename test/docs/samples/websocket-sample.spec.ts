import { describe, expect, it } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { settingsFor } from '../../../sample/05-websocket/settings.js';
import { startChat } from '../../../sample/05-websocket/start.js';
import { ADAPTERS, type Adapter } from '../../support/adapters.js';
import { HttpClient } from '../../support/http-client.js';
import { SessionClient } from '../../support/session-client.js';

/** A page of the sample, without a browser. */
class Page {
  readonly client: SessionClient;
  private socket: Socket | undefined;
  private received: { readonly event: string; readonly data: unknown }[] = [];
  private wake: () => void = () => undefined;

  constructor(
    private readonly origin: string,
    http: HttpClient,
  ) {
    this.client = new SessionClient(http, 'cookie');
  }

  async signIn(userId: string): Promise<void> {
    await this.client.post('/sign-in', { userId });
  }

  /** Connects with the cookies that it has now, and waits for the first of these events. */
  async connect(...events: string[]): Promise<unknown> {
    this.leave();
    this.received = [];
    const cookie = `sAccessToken=${this.client.cookie('sAccessToken') ?? ''}`;
    this.socket = io(this.origin, {
      extraHeaders: { cookie, origin: this.origin },
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
    });
    const take = (event: string, data: unknown): void => {
      this.received.push({ event, data });
      this.wake();
    };
    this.socket.onAny(take);
    this.socket.on('disconnect', (reason) => take('disconnect', reason)); // no event of the server
    return this.next(...events);
  }

  /** Connects, and refreshes first as often as the access token runs out on the way. */
  async connectInTime(): Promise<unknown> {
    for (;;) {
      const first = await this.connect('welcome', 'exception');
      if (typeof first === 'string') return first;
      await this.client.refresh();
    }
  }

  /** Takes the first of these events, also if it came before this call. */
  async next(...events: string[]): Promise<unknown> {
    for (;;) {
      const index = this.received.findIndex(({ event }) => events.includes(event));
      if (index >= 0) return this.received.splice(index, 1)[0]?.data;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  say(text: string): void {
    this.socket?.emit('say', text);
  }

  leave(): void {
    this.socket?.disconnect();
  }
}

async function withChat(
  adapter: Adapter,
  accessTokenSeconds: number,
  test: (page: () => Page) => Promise<void>,
): Promise<void> {
  const settings = await settingsFor(adapter, 0, accessTokenSeconds);
  const app = await startChat(settings);
  const http = new HttpClient(settings.port);
  const pages: Page[] = [];
  try {
    await test(() => {
      const page = new Page(settings.origin, http);
      pages.push(page);
      return page;
    });
  } finally {
    for (const page of pages) page.leave();
    http.close();
    await app.close();
  }
}

describe.each(ADAPTERS)('the sample with WebSockets on %s', (adapter) => {
  it('lets two users chat, nobody else, and each no longer than the session (S054, S082)', async () => {
    await withChat(adapter, 3600, async (page) => {
      const [ada, bob, stranger] = [page(), page(), page()];
      expect(await stranger.connect('exception')).toMatchObject({ type: 'UNAUTHORISED' });
      await ada.signIn('ada');
      await bob.signIn('bob');
      expect([await ada.connect('welcome'), await bob.connect('welcome')]).toEqual(['ada', 'bob']);
      const heard = Promise.all([ada.next('said'), bob.next('said')]);
      ada.say('hello');
      const hello = { userId: 'ada', text: 'hello' };
      expect(await heard).toEqual([hello, hello]);
      const ended = ada.next('disconnect');
      await ada.client.signOut();
      expect(await ended).toBe('io server disconnect');
    });
  });

  it('asks for a refresh when the access token runs out, and goes on with the next one (S082)', async () => {
    await withChat(adapter, 1, async (page) => {
      const ada = page();
      await ada.signIn('ada');
      await ada.connectInTime();
      expect(await ada.next('exception')).toMatchObject({ type: 'TRY_REFRESH_TOKEN' });
      await ada.client.refresh();
      expect(await ada.connectInTime()).toBe('ada');
    });
  });
});
