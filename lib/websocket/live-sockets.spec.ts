import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CoreUnavailableError, UnauthorisedError } from '../errors.js';
import { LiveSockets, type LiveSocket } from './live-sockets.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { SocketClient, SocketCloseReason, SocketHandshake } from './socket-client.js';
import { TestClock } from '../testing/test-clock.js';

const HANDSHAKE: SocketHandshake = { url: '/live', headers: {}, accessToken: undefined };

/** A connection that notes what it is told. */
class NotingClient implements SocketClient {
  readonly connection = new EventEmitter();
  readonly handshake = HANDSHAKE;
  readonly told: string[] = [];
  readonly closings: SocketCloseReason[] = [];
  isClosed = false;
  isEnded = false;

  onClose(listener: () => void): void {
    this.connection.once('close', listener);
  }

  hold(): void {
    this.told.push('held');
  }

  release(): void {
    this.told.push('released');
  }

  endSending(): void {
    this.isEnded = true;
  }

  sendEvent(event: string): void {
    this.told.push(event);
  }

  close(reason: SocketCloseReason): void {
    this.closings.push(reason);
  }

  /** The other side hangs up. */
  hangUp(): void {
    this.isClosed = true;
    this.connection.emit('close');
  }
}

/** All that is read of a session: its handle, whose it is, and when its access token expires. */
function sessionUntil(expirySec: number, sessionHandle = 'handle-1', own: object = {}): SessionContainer {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = { sub: 'ada', rsub: 'ada', sessionHandle, refreshTokenHash1: 'x', iat: 0, exp: expirySec };
  const payload = { ...own, ...token };
  const accessToken = `${part({ alg: 'RS256', typ: 'JWT', version: '5', kid: 'd-1' })}.${part(payload)}.signature`;
  const session = {
    getHandle: () => sessionHandle,
    getUserId: () => 'ada',
    getRecipeUserId: () => 'ada',
    getTenantId: () => 'public',
    getAccessToken: () => accessToken,
    getPresentedTokenExpiry: () => expirySec * 1000,
  };
  return session as Partial<SessionContainer> as SessionContainer;
}

describe('live sockets', () => {
  const clock = new TestClock(0);
  let sockets: LiveSockets;
  /** What telling an error waits for: handlers of the application. */
  let handlers: Promise<void>;

  function open(session: SessionContainer): { client: NotingClient; socket: LiveSocket } {
    const client = new NotingClient();
    const socket = sockets.add(client, HANDSHAKE);
    sockets.hold(socket, session);
    return { client, socket };
  }

  async function pass(seconds: number): Promise<void> {
    clock.advanceSeconds(seconds);
    await jest.advanceTimersByTimeAsync(seconds * 1000);
  }

  beforeEach(() => {
    jest.useFakeTimers();
    clock.set(0);
    handlers = Promise.resolve();
    sockets = new LiveSockets({
      clock,
      clockToleranceSec: 5,
      socketRenewalGraceSec: 30,
      sendError: async ({ client }, error) => {
        await handlers;
        client.sendEvent(error.name, {});
        return (error as UnauthorisedError).type;
      },
    });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('are asked for a new token when theirs has expired beyond the tolerance, and closed when none comes (S082)', async () => {
    const { client } = open(sessionUntil(100));
    await pass(104);
    expect(client.told).toEqual([]);
    await pass(1);
    expect(client.told).toEqual(['TryRefreshTokenError']);
    await pass(29);
    expect(client.closings).toEqual([]);
    await pass(1);
    expect(client.closings).toEqual([{ code: 4419, reason: 'TRY_REFRESH_TOKEN' }]);
  });

  it('do not outlast the absolute end of their session, whatever its token says (S037, S054)', async () => {
    const { client } = open(sessionUntil(1000, 'handle-1', { session_expiry: 100 }));
    await pass(104);
    expect(client.told).toEqual([]);
    await pass(31);
    expect(client.closings).toHaveLength(1);
  });

  it('go on with a new token until that has expired (S082)', async () => {
    const { client, socket } = open(sessionUntil(100));
    await pass(110);
    sockets.hold(socket, sessionUntil(200));
    await pass(94);
    expect(client.closings).toEqual([]);
    await pass(31);
    expect(client.closings).toHaveLength(1);
  });

  it('are closed with the session that they work for now, not with the one before (S054)', async () => {
    const { client, socket } = open(sessionUntil(100, 'handle-1'));
    sockets.hold(socket, sessionUntil(100, 'handle-2'));
    sockets.endSession('handle-1');
    await pass(0);
    expect(client.closings).toEqual([]);
    sockets.endSession('handle-2');
    await pass(0);
    expect(client.closings).toEqual([{ code: 4401, reason: 'UNAUTHORISED' }]);
  });

  it('are closed within two seconds where the application never finishes its response (S054)', async () => {
    handlers = new Promise(() => undefined);
    const { client } = open(sessionUntil(100));
    sockets.endSession('handle-1');
    await pass(1);
    expect(client.closings).toEqual([]);
    await pass(1);
    expect(client.closings).toEqual([{ code: 1011, reason: '' }]);
  });

  it('are told once why they are closed', async () => {
    const { client } = open(sessionUntil(100));
    sockets.endSession('handle-1');
    sockets.endSession('handle-1');
    await pass(1000);
    expect([client.told, client.closings]).toEqual([
      ['UnauthorisedError'],
      [{ code: 4401, reason: 'UNAUTHORISED' }],
    ]);
  });

  it('leave nothing behind when the other side hangs up: no timer, no entry', async () => {
    const opened = Array.from({ length: 100 }, (_, index) => open(sessionUntil(100, `handle-${index % 10}`)));
    expect([sockets.sessionCount, jest.getTimerCount()]).toEqual([10, 100]);
    for (const { client } of opened) client.hangUp();
    expect([sockets.sessionCount, jest.getTimerCount()]).toEqual([0, 0]);
  });

  it('are not held when the other side hung up during the handshake', async () => {
    const client = new NotingClient();
    const socket = sockets.add(client, HANDSHAKE);
    client.hangUp();
    sockets.hold(socket, sessionUntil(100));
    expect([sockets.sessionCount, jest.getTimerCount()]).toEqual([0, 0]);
  });

  it('are not held for a session that was revoked while it was being proven (S054)', async () => {
    const socket = sockets.add(new NotingClient(), HANDSHAKE);
    const proven = sockets.holdProven(socket, async () => {
      sockets.endSession('handle-1');
      return sessionUntil(100);
    });
    await expect(proven).rejects.toThrow(UnauthorisedError);
    expect(sockets.sessionCount).toBe(0);
  });

  it('are not held when more sessions ended meanwhile than are remembered: theirs may be among them (S054)', async () => {
    const socket = sockets.add(new NotingClient(), HANDSHAKE);
    const proven = sockets.holdProven(socket, async () => {
      sockets.endSession('handle-1');
      for (let n = 0; n < 10_000; n++) sockets.endSession(`other-${n}`);
      return sessionUntil(100);
    });
    await expect(proven).rejects.toThrow(CoreUnavailableError);
    expect(sockets.sessionCount).toBe(0);
  });

  it('are held whatever ended before, and the more proofs are under way, the more memory a revocation does not take', async () => {
    for (let n = 0; n < 20_000; n++) sockets.endSession('handle-1');
    const finish: (() => void)[] = [];
    const proofs = Array.from({ length: 1000 }, () =>
      sockets.holdProven(sockets.add(new NotingClient(), HANDSHAKE), async () => {
        await new Promise<void>((resolve) => finish.push(resolve));
        return sessionUntil(100);
      }),
    );
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 1000; n++) sockets.endSession(`other-${n}`);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10e6); // a set for each proof takes 25 MB
    for (const end of finish) end();
    expect(await Promise.all(proofs)).toHaveLength(1000);
  });

  it('take no new token any more when they are being closed already', async () => {
    const { client, socket } = open(sessionUntil(100));
    const renewed = sockets.holdProven(socket, async () => {
      await pass(135);
      return sessionUntil(500);
    });
    await expect(renewed).rejects.toMatchObject({ type: 'TRY_REFRESH_TOKEN' });
    expect(client.closings).toHaveLength(1);
    expect([sockets.sessionCount, jest.getTimerCount()]).toEqual([0, 0]);
  });

  it('wait for nothing any longer when the application shuts down (S086)', async () => {
    const { client } = open(sessionUntil(100));
    sockets.clear();
    expect(jest.getTimerCount()).toBe(0);
    await pass(1000);
    expect(client.closings).toEqual([]);
  });
});
