// Runs the recipes of packages that are CommonJS and require Nest, which Jest cannot load on Node 20, and prints what clients saw.
import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Module, type INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { OptionalSession, SessionModule } from 'nest-sessions';
import { overrideSessions, testSessions } from 'nest-sessions/testing';
import { AuditLog, ContextModule } from '../shown/context.js';
import { LimitsModule } from '../shown/throttler.js';

@Controller()
class TeaController {
  constructor(private readonly log: AuditLog) {}

  @Get('tea')
  @OptionalSession()
  async tea(): Promise<string> {
    await Promise.resolve();
    return this.log.entry('drinks');
  }
}

@Module({
  imports: [
    SessionModule.forRoot({
      appInfo: { appName: 'Shop', apiDomain: 'https://api.shop.io', websiteDomain: 'https://shop.io' },
      logStartup: false,
    }),
    LimitsModule,
    ContextModule,
  ],
  controllers: [TeaController],
})
class AppModule {}

interface Seen {
  readonly bodies: string[];
  readonly statuses: Record<string, number>;
}

async function visit(app: INestApplication): Promise<Seen> {
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  const headersOf = async (userId: string): Promise<Record<string, string>> => {
    const { accessToken } = await testSessions(app).createTestSession({ userId });
    return { authorization: `Bearer ${accessToken}` };
  };
  const [ada, adasPhone, bob] = [await headersOf('ada'), await headersOf('ada'), await headersOf('bob')];
  const get = async (headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/tea`, { headers });
  const responses = await Promise.all([get(ada), get(bob), get()]);
  const bodies = await Promise.all(responses.map(async (response) => response.text()));
  for (let n = 1; n < 50; n++) await Promise.all([get(ada), get(adasPhone)]);
  await get(adasPhone);
  const statuses = {
    ada: (await get(ada)).status,
    adasPhone: (await get(adasPhone)).status,
    bob: (await get(bob)).status,
    stranger: (await get()).status,
  };
  await app.close();
  return { bodies, statuses };
}

const seen: Record<string, Seen> = {};
for (const adapter of ['express', 'fastify']) {
  const module = await overrideSessions(Test.createTestingModule({ imports: [AppModule] })).compile();
  const app =
    adapter === 'express'
      ? module.createNestApplication({ logger: false })
      : module.createNestApplication(new FastifyAdapter(), { logger: false });
  seen[adapter] = await visit(app);
}
process.stdout.write(JSON.stringify(seen));
