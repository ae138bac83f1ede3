import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { PrimitiveClaim } from 'nest-sessions';
import { ACCESS_VALIDITY_SEC } from '../support/embedded.js';
import type { ClientResponse } from '../support/http-client.js';
import { BOTH_ADAPTERS, type Adapter, TestApplication } from '../support/test-application.js';

/** Which Nest this has to be; scripts/consumers/e2e-nest.mjs sets it, and points the imports there. */
const NEST_MAJOR = process.env['NEST_MAJOR'] ?? '12';

const PlanClaim = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'free' });

/** Headers that say something about sessions. */
const HEADERS = [
  'set-cookie',
  'cache-control',
  'vary',
  'retry-after',
  'access-control-allow-origin',
  'access-control-expose-headers',
];
/** Headers that carry a value of their own in each run. */
const SECRET = ['st-access-token', 'st-refresh-token', 'front-token', 'anti-csrf'];

/** The content of a response, without what differs from run to run. */
function traceOf(step: string, response: ClientResponse): object {
  const headers: Record<string, string[]> = {};
  for (const name of HEADERS) headers[name] = response.lines(name).map(withoutValues);
  for (const name of SECRET)
    headers[name] = response.lines(name).map((line) => (['', 'remove'].includes(line) ? line : 'a value'));
  return { step, status: response.status, body: withoutValues(response.text), headers };
}

function withoutValues(text: string): string {
  return text
    .replace(/(s(?:Access|Refresh)Token)=[^;]+/g, '$1=…')
    .replace(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, '<uuid>')
    .replace(/"t":\d{13}/g, '"t":…') // when a claim was fetched
    .replace(/[0-9a-f]{64}/g, '<hash>');
}

/** A session's whole life on one adapter, once by cookie and once by header, with what goes wrong on the way. */
async function lifeOn(adapter: Adapter): Promise<object[]> {
  const application = await TestApplication.on(adapter)
    .with({ antiCsrf: 'VIA_TOKEN', claims: [PlanClaim] })
    .handlers({
      guarded: {
        upgrade: (session) => session.setClaimValue(PlanClaim, 'pro'),
        pro: async (session) => {
          await session.assertClaims([PlanClaim.validators.hasValue('pro')]);
          return { isPro: true };
        },
      },
    })
    .start();
  const trace: object[] = [];
  const note = (step: string, response: ClientResponse): void => void trace.push(traceOf(step, response));
  try {
    for (const mode of ['cookie', 'header'] as const) {
      const client = application.client(mode);
      note('nobody', await client.get('/me'));
      note('nobody, optional', await client.get('/optional'));
      note('sign in', await client.login('ada'));
      note('guarded', await client.get('/me'));
      note('without anti-csrf', await client.post('/me', undefined, { 'anti-csrf': undefined }));
      note('claim fails', await client.get('/run/pro'));
      note('claim set', await client.get('/run/upgrade'));
      note('claim holds', await client.get('/run/pro'));
      const thief = client.copy();
      application.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
      note('expired', await client.get('/me'));
      note('refresh', await client.refresh());
      note('first use', await client.get('/checked'));
      note('theft', await thief.refresh());
      note('after the theft', await client.get('/checked'));
      note('refresh after the theft', await client.refresh());
      await client.login('ada');
      note('sign out', await client.signOut());
      note('sign out again', await client.signOut());
      note('a token that is none', await client.get('/me', { authorization: 'Bearer x' }));
    }
    note('keys', await application.send({ path: '/auth/jwt/jwks.json' }));
    note('discovery', await application.send({ path: '/auth/.well-known/openid-configuration' }));
  } finally {
    await application.close();
  }
  return trace;
}

describe('Express and Fastify (S083)', () => {
  const lives = new Map<Adapter, object[]>();

  beforeAll(async () => {
    for (const adapter of BOTH_ADAPTERS) lives.set(adapter, await lifeOn(adapter));
  });

  it(`run here with Nest ${NEST_MAJOR} (S083)`, () => {
    const require = createRequire(import.meta.url);
    for (const name of ['common', 'core', 'platform-express', 'platform-fastify']) {
      const { version } = require(`@nestjs/${name}/package.json`) as { version: string };
      expect([name, version.split('.')[0]]).toEqual([name, NEST_MAJOR]);
    }
  });

  it('give the same responses, header by header, through the life of a session (S083)', () => {
    const [express = [], fastify = []] = BOTH_ADAPTERS.map((adapter) => lives.get(adapter));
    expect(express.length).toBeGreaterThan(30);
    expect(fastify).toEqual(express);
  });
});
