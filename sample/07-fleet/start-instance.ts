import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Response } from 'express';
import { embeddedCore, SessionModule } from 'nest-sessions';
import { SessionDashboardModule } from 'nest-sessions/dashboard';
import { AccountController } from './account.controller.js';
import { FeedState } from './feed-state.js';
import { PageController } from './page.controller.js';
import { openStore, type StoreAddress } from './shared-store.js';

@Module({})
class AppModule {}

export interface InstanceSettings {
  /** Sent in the header `x-instance` of each response. */
  readonly name: string;
  /** The address for users: that of the proxy. */
  readonly origin: string;
  readonly store: StoreAddress;
}

/** One instance of the application. */
export interface Instance {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts an instance. `revocationFeed` is all that it takes to learn which sessions have ended in the others. */
export async function startInstance({ name, origin, store: place }: InstanceSettings): Promise<Instance> {
  const { store, close } = await openStore(place);
  const sessions = SessionModule.forRoot({
    appInfo: { appName: 'Fleet', apiDomain: origin, websiteDomain: origin },
    core: embeddedCore({ store }),
    revocationFeed: true,
    devices: {},
    audit: {},
  });
  const dashboard = SessionDashboardModule.forRoot({
    path: 'dashboard',
    authorize: (session) => session.getUserId() === 'operator',
  });
  const app = await NestFactory.create<NestExpressApplication>(
    {
      module: AppModule,
      imports: [sessions, dashboard],
      controllers: [PageController, AccountController],
      providers: [FeedState],
    },
    { logger: ['warn', 'error', 'fatal'] },
  );
  const feed = app.get(FeedState);
  app.use((_request: unknown, response: Response, next: () => void) => {
    response.setHeader('x-instance', name).setHeader('x-feed', feed.state);
    next();
  });
  // Loopback only, because the page signs users in without a password.
  await app.listen(0, '127.0.0.1');
  return {
    port: Number(new URL(await app.getUrl()).port),
    close: async () => {
      await app.close();
      await close();
    },
  };
}
