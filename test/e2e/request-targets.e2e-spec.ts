import { Controller, Post, UseGuards } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BooleanClaim, SessionGuard } from 'nest-sessions';
import { DemoController } from '../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import type { SessionClient } from '../support/session-client.js';

const verified = new BooleanClaim({ key: 'verified', fetchValue: () => false });
const REFRESH = '/auth/session/refresh';

/** Routes at which a request may arrive whose target the router reads otherwise than we do. */
@Controller()
@UseGuards(SessionGuard)
class EverywhereController {
  static calls = 0;

  @Post()
  atRoot(): number {
    return ++EverywhereController.calls;
  }

  @Post(':anything/auth/session/refresh')
  below(): number {
    return ++EverywhereController.calls;
  }
}

describe.each(ADAPTERS)('request targets in absolute form on %s', (adapter) => {
  let application: TestApplication;
  let client: SessionClient;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .controllers(DemoController, EverywhereController)
      .with({
        claims: [verified],
        globalClaimValidators: [verified.validators.isTrue()],
      })
      .start();
    client = await application.signedIn('header');
  });

  afterAll(() => application.close());

  it('reach the refresh route as any other', async () => {
    const { status } = await application.send({
      method: 'POST',
      path: `http://api.shop.io${REFRESH}`,
      headers: { authorization: `Bearer ${client.refreshToken}` },
    });
    expect(status).toBe(200);
  });

  it.each([
    `http://h?${REFRESH}`,
    `http://u@h?${REFRESH}`,
    `http://h#${REFRESH}`,
    `http://h;x?${REFRESH}`,
    `http://h;x${REFRESH}`,
    `http://h\\x?${REFRESH}`,
    `http://h\\x${REFRESH}`,
    `http://u@h${REFRESH}`,
    `http://h%2fx${REFRESH}`,
    `javascript://h${REFRESH}`,
    `x://h?${REFRESH}`,
  ])('take no refresh token past the claims to another route: %s (S027)', async (path) => {
    EverywhereController.calls = 0;
    await application.send({
      method: 'POST',
      path,
      headers: { authorization: `Bearer ${client.refreshToken}` },
      isAlone: true,
    });
    expect(EverywhereController.calls).toBe(0);
  });
});
