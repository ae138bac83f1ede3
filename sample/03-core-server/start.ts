import { NestFactory } from '@nestjs/core';
import { embeddedCore } from 'nest-sessions';
import { SessionCoreModule } from 'nest-sessions/core';
import { openStore } from './open-store.js';
import type { Settings } from './settings.js';

/** A running core. */
export interface CoreServer {
  /** The value of `connectionURI`. */
  readonly uri: string;
  close(): Promise<void>;
}

/** Starts a Nest application that consists of the core: one module, no controllers. */
export async function startCoreServer({
  host,
  port,
  apiKeys,
  hostNames,
  keySecret,
  store,
}: Settings): Promise<CoreServer> {
  const opened = await openStore(store);
  const app = await NestFactory.create(
    SessionCoreModule.forRoot({
      core: embeddedCore({
        store: opened.store,
        ...(keySecret !== undefined && { keyEncryption: { secret: keySecret } }),
      }),
      ...(apiKeys && { apiKeys }),
      ...(hostNames && { hostNames }),
    }),
    { logger: ['warn', 'error', 'fatal'] },
  );
  await app.listen(port, host);
  return {
    uri: await app.getUrl(),
    close: async () => {
      await app.close();
      await opened.close();
    },
  };
}
