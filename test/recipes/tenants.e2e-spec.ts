import { Controller, Get, UseGuards } from '@nestjs/common';
import { ContextIdFactory } from '@nestjs/core';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { SessionGuard } from 'nest-sessions';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { TenantDatabase, TenantGuard, TenantStrategy } from './shown/tenants.js';

const made = new Set<object>();

@Controller()
@UseGuards(SessionGuard, TenantGuard)
class TenantController {
  constructor(private readonly database: TenantDatabase) {}

  @Get('tenant')
  tenant() {
    made.add(this.database);
    return { tenant: this.database.tenantId };
  }
}

describe.each(ADAPTERS)('the recipe for durable providers by tenant on %s', (adapter) => {
  beforeAll(() => {
    ContextIdFactory.apply(new TenantStrategy());
    made.clear();
  });

  it('has one instance for each tenant, and refuses a session of another', async () => {
    const { clientOf, testSessions } = await TestApplication.on(adapter)
      .controllers(TenantController)
      .providers(TenantDatabase)
      .start();
    const acme = clientOf(await testSessions.createTestSession({ userId: 'ada', tenantId: 'acme' }));
    const globex = clientOf(await testSessions.createTestSession({ userId: 'bob', tenantId: 'globex' }));
    const at = (host: string) => ({ host: `${host}.shop.io` });
    for (let n = 0; n < 2; n++) {
      expect((await acme.get('/tenant', at('acme'))).body).toEqual({ tenant: 'acme' });
      expect((await globex.get('/tenant', at('globex'))).body).toEqual({ tenant: 'globex' });
    }
    expect(made.size).toBe(2);
    for (const host of ['globex', 'unknown']) {
      const refused = await acme.get('/tenant', at(host));
      expect([refused.status, refused.body]).toMatchObject([
        403,
        { message: 'This session belongs to another tenant' },
      ]);
    }
    expect(made.size).toBe(2);
  });
});
