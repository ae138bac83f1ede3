import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Sse, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import type { Client } from 'graphql-ws';
import { Session, SessionContainer, SessionGuard, SessionStreams, sqliteStore } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { TestClock } from 'nest-sessions/testing';
import { concat, NEVER, of, type Observable } from 'rxjs';
import { closeAfterTest } from '../../support/close-after-test.js';
import { seedSigningKeys, TEST_START_MS } from '../../support/embedded.js';
import type { SessionClient } from '../../support/session-client.js';
import { ADAPTERS, TestApplication, type ApplicationStarter } from '../../support/test-application.js';
import { EventStream } from './event-stream.js';
import { DRIVERS, GraphqlApplication } from './graphql-application.js';
import { openSubscriber, scriptWith } from './graphql-subscriber.js';
import { bearer, LIVE, LiveApplication } from './live-application.js';

@Controller()
@UseGuards(SessionGuard)
class PricesController {
  constructor(private readonly streams: SessionStreams) {}

  @Sse('prices')
  prices(@Session() session: SessionContainer): Observable<{ data: number }> {
    return concat(of({ data: 42 }), NEVER).pipe(this.streams.untilSessionEnds(session));
  }
}

/** Something that stays open with a session. */
interface Connection {
  readonly closed: Promise<unknown>;
}

/** A kind of connection, and how one is opened. */
interface Transport<A extends TestApplication = TestApplication> {
  readonly name: string;
  start(change: (starter: ApplicationStarter) => ApplicationStarter): Promise<A>;
  open(application: A, client: SessionClient): Promise<Connection>;
}

const sockets = LIVE.map((live): Transport<LiveApplication> => ({
  name: `a socket of ${live.platform} on ${live.adapter}`,
  start: async (change) => (change(LiveApplication.via(live)) as ApplicationStarter<LiveApplication>).start(),
  open: async ({ connect }, client) => {
    const socket = await connect(bearer(client));
    await socket.ask('whoami');
    return socket;
  },
}));

const streams = ADAPTERS.map((adapter): Transport => ({
  name: `a stream of events on ${adapter}`,
  start: async (change) => change(TestApplication.on(adapter)).controllers(PricesController).start(),
  open: async (application, client) => {
    const stream = await EventStream.open(application, client);
    await stream.first();
    return { closed: stream.ended() };
  },
}));

const subscriptions = DRIVERS.map((driver): Transport => ({
  name: `a subscription in GraphQL: ${driver.name}`,
  start: async (change) => change(GraphqlApplication.via(driver)).start(),
  open: async ({ port }, client) => {
    const clients: Client[] = [];
    const subscriber = openSubscriber(port, scriptWith(client), clients);
    closeAfterTest(async () => clients[0]?.dispose());
    await subscriber.first('subscription { ticks }');
    return subscriber;
  },
}));

const transports = [...sockets, ...streams, ...subscriptions] as readonly Transport[];

/** Two applications with a feed each, which share a SQLite file. */
async function twoInstances(transport: Transport) {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-elsewhere-'));
  closeAfterTest(async () => rmSync(folder, { recursive: true }));
  const store = (): SessionStore => sqliteStore(join(folder, 'sessions.db'));
  const clock = new TestClock(TEST_START_MS);
  const onFile = (starter: ApplicationStarter): ApplicationStarter =>
    starter
      .store(store())
      .clock(clock)
      .with({ revocationFeed: { pollMs: 50 } });
  const seeded = store();
  await seedSigningKeys(seeded);
  await seeded.close();
  const here = await onFile(TestApplication.on('express')).start();
  const there = await transport.start(onFile);
  closeAfterTest(async () => EventStream.closeAll());
  return { here, there, clock };
}

/**
 * Returns whether a connection is still open.
 *
 * @param roundTrip takes as long as the news of a close
 */
async function isOpen({ closed }: Connection, roundTrip: () => Promise<unknown>): Promise<boolean> {
  let hasClosed = false;
  void closed.then(() => (hasClosed = true));
  await roundTrip();
  return !hasClosed;
}

describe.each(transports)('$name, whose session ends on another instance', (transport) => {
  it('is closed, and those of other sessions stay open (S054)', async () => {
    const { here, there } = await twoInstances(transport);
    const ending = await transport.open(there, await here.signedIn('header', 'ada'));
    const bob = await here.signedIn('header', 'bob');
    const staying = await transport.open(there, bob);
    await here.sessions.revokeAllSessionsForUser({ userId: 'ada' });
    await ending.closed;
    expect(await isOpen(staying, async () => transport.open(there, bob))).toBe(true);
  });

  it('is closed by a cut-off, and those of younger sessions stay open', async () => {
    const { here, there, clock } = await twoInstances(transport);
    const ending = await transport.open(there, await here.signedIn('header', 'ada'));
    clock.advanceSeconds(1);
    const createdBefore = new Date(clock.now());
    const younger = await here.signedIn('header', 'ada');
    const staying = await transport.open(there, younger);
    await here.sessions.revokeSessions({ createdBefore });
    await ending.closed;
    expect(await isOpen(staying, async () => transport.open(there, younger))).toBe(true);
  });
});
