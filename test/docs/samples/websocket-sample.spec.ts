import { describe, expect, it } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { settingsFor } from '../../../sample/05-websocket/settings.js';
import { startChat } from '../../../sample/05-websocket/start.js';
import { ADAPTERS, type Adapter } from '../../support/adapters.js';
import { HttpClient } from '../../support/http-client.js';
import { SessionClient } from '../../support/session-client.js';

/** What a page of the sample does, without a browser. */
class Page {
  readonly client: SessionClient;
  private socket: Socket | undefined;

  constructor(
    private readonly origin: string,
    http: HttpClient,
  ) {
    this.client = new SessionClient(http, 'cookie');
  }

  async signIn(userId: string): Promise<void> {
    await this.client.post('/sign-in', { userId });
  }

  /** Connects with the cookies that it has now, and waits for the first event. */
  async connect(event: string): Promise<unknown> {
    this.leave();
    const cookie = `sAccessToken=${this.client.cookie('sAccessToken') ?? ''}`;
    this.socket = io(this.origin, {
      extraHeaders: { cookie, origin: this.origin },
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
    });
    return this.next(event);
  }

  async next(event: string): Promise<unknown> {
    return new Promise((resolve) => this.socket?.once(event, resolve));
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
      await ada.connect('welcome');
      expect(await ada.next('exception')).toMatchObject({ type: 'TRY_REFRESH_TOKEN' });
      await ada.client.refresh();
      expect(await ada.connect('welcome')).toBe('ada');
    });
  });
});
