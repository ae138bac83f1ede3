import type { NestExpressApplication } from '@nestjs/platform-express';
import { describe, expect, it } from '@jest/globals';
import { TestClock } from 'nest-sessions/testing';
import { FOREIGN_TEST_KEY } from '../../fixtures/signing-keys.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { jwt, rs256, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { countingLimiter } from '../../support/counting-limiter.js';
import {
  ADAPTERS,
  type Adapter,
  TestApplication,
  type ApplicationStarter,
} from '../../support/test-application.js';

const FORGED = jwt(V5_HEADER, V5_CLAIMS, (text) => rs256(text, FOREIGN_TEST_KEY));

/** An application that takes three forged tokens and three refreshes of one client or session a minute. */
function withLimits(adapter: Adapter): ApplicationStarter {
  const clock = new TestClock(TEST_START_MS);
  const limiter = countingLimiter({
    windowSec: 60,
    refresh: { perSession: 3 },
    failedVerify: { perIpGroup: 3 },
    clock,
  });
  return TestApplication.on(adapter).clock(clock).with({ rateLimit: { limiter } });
}

describe.each(ADAPTERS)('attempts that are counted on %s', (adapter) => {
  it('CVE-2023-33170: parallel attempts do not slip through between the count and the limit', async () => {
    const { signedIn } = await withLimits(adapter).start();
    const client = await signedIn('header');
    const burst = Array.from({ length: 30 }, async () => (await client.copy().refresh()).status);
    const statuses = await Promise.all(burst);
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    expect(statuses.filter((status) => status === 429)).toHaveLength(27);
  });

  it('CVE-2026-45364: no header makes a new client of somebody whose proxy nobody trusts', async () => {
    const { send } = await withLimits(adapter).start();
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) {
      const spoofed = {
        'x-forwarded-for': `203.0.113.${i}`,
        'x-real-ip': `203.0.113.${i}`,
        forwarded: `for=${i}`,
      };
      statuses.push(
        (await send({ path: '/me', headers: { ...spoofed, authorization: `Bearer ${FORGED}` } })).status,
      );
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429]);
  });
});

describe('attempts that come through a trusted proxy', () => {
  it.each([
    [
      'one address in many spellings',
      ['2001:db8::1', '2001:DB8::1', '2001:db8:0:0::1', '2001:0db8:0:0:0:0:0:1'],
    ],
    [
      'one network of many addresses',
      ['2001:db8::1', '2001:db8::ffff', '2001:db8::a:b:c:d', '2001:db8:0:0:1::'],
    ],
    ['IPv4, also written as IPv6', ['192.0.2.7', '::ffff:192.0.2.7', '::FFFF:192.0.2.7', '::ffff:c000:207']],
  ])('CVE-2026-45364: are counted as of one client: %s', async (_what, addresses) => {
    const { send } = await withLimits('express')
      .configure((app) => (app as NestExpressApplication).set('trust proxy', 'loopback'))
      .start();
    const attempt = async (address: string): Promise<number> => {
      const headers = { 'x-forwarded-for': address, authorization: `Bearer ${FORGED}` };
      return (await send({ path: '/me', headers })).status;
    };
    const statuses: number[] = [];
    for (const address of addresses) statuses.push(await attempt(address));
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect(await attempt('2001:db8:1::1')).toBe(401); // somebody else
  });
});
