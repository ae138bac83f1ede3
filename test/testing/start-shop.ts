import type { INestApplication, Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  overrideSessions,
  testSessions,
  type SessionTestingOptions,
  type TestSessions,
} from 'nest-sessions/testing';
import { newAdapter, type Adapter } from '../support/adapters.js';
import { ShopModule } from './shop.js';

export interface Shop {
  readonly app: INestApplication;
  readonly sessions: TestSessions;
}

/** An application under test, as the guide says. It does not listen. */
export async function startShop(
  adapter: Adapter,
  options: SessionTestingOptions = {},
  module: Type = ShopModule,
): Promise<Shop> {
  const compiled = await overrideSessions(Test.createTestingModule({ imports: [module] }), options).compile();
  const app = await compiled.createNestApplication(newAdapter(adapter), { logger: false }).init();
  if (adapter === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  return { app, sessions: testSessions(app) };
}
