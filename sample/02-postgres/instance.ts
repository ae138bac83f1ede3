import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Response } from 'express';
import { embeddedCore, postgresStore, SessionModule } from 'nest-sessions';
import pg from 'pg';
import { AccountController } from './account.controller.js';

@Module({})
class AppModule {}

/** One instance of the application. */
export interface Instance {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts an instance with connections of its own. It shares only the database with the others.
 *
 * @param name sent in the header `x-instance` of each response
 * @param origin the address for users: that of the proxy
 */
export async function startInstance(name: string, databaseUrl: string, origin: string): Promise<Instance> {
  const pool = new pg.Pool({ connectionString: databaseUrl });
  pool.on('error', (error) => console.error(`PostgreSQL: ${error.message}`));
  const sessions = SessionModule.forRoot({
    appInfo: { appName: 'Two instances', apiDomain: origin, websiteDomain: origin },
    core: embeddedCore({ store: postgresStore(pool) }),
  });
  const app = await NestFactory.create<NestExpressApplication>(
    { module: AppModule, imports: [sessions], controllers: [AccountController] },
    { logger: ['warn', 'error', 'fatal'] },
  );
  app.use((_request: unknown, response: Response, next: () => void) => {
    response.setHeader('x-instance', name);
    next();
  });
  await app.listen(0, '127.0.0.1');
  return {
    port: Number(new URL(await app.getUrl()).port),
    close: async () => {
      await app.close();
      await pool.end();
    },
  };
}
