import { describe, expect, it } from '@jest/globals';
import type { RecordedExchange } from '../../lib/doctor/exchange.js';
import { checkDevice } from '../../lib/doctor/checks/device.js';
import { ADAPTERS } from '../support/adapters.js';
import { REGISTER, RENEW } from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import { examine, finding, problem, problemCodes, withHeaders } from './examined-application.js';
import { responded, API, factsOf, signInWith, SIGNED_IN } from './facts-under-test.js';

const CODES = ['device.offer', 'device.routes', 'device.attributes', 'device.origin'] as const;
const OPTIONS = deviceBound({ dbsc: true });

/** Something in front of the application that changes the responses of one path. */
const inFront =
  (path: string, change: (exchange: RecordedExchange) => RecordedExchange) =>
  (exchange: RecordedExchange): RecordedExchange =>
    new URL(exchange.url).pathname === path ? change(exchange) : exchange;

const changedCookies =
  (change: (line: string) => string) =>
  (exchange: RecordedExchange): RecordedExchange => {
    const lines = (exchange.response?.headers ?? []).filter(([name]) => name === 'set-cookie');
    return withHeaders(exchange, { 'set-cookie': lines.map(([, line]) => change(line)) });
  };

const foreign =
  (status: number) =>
  (exchange: RecordedExchange): RecordedExchange => ({
    ...exchange,
    response: { status, headers: [['location', 'https://login.shop.io/']], body: 'Please sign in' },
  });

describe.each(ADAPTERS)('the doctor examines a session bound to the device, on %s', (adapter) => {
  it('binds one as a browser does, and ends it (D12, D41)', async () => {
    const types: string[] = [];
    const diagnosis = await examine({
      adapter,
      options: OPTIONS,
      afterwards: async ({ events }) => void types.push(...events.map(({ type }) => type)),
    });
    expect(problemCodes(diagnosis)).toEqual([]);
    expect(CODES.map((code) => finding(diagnosis, code).level)).toEqual(CODES.map(() => 'ok'));
    expect(finding(diagnosis, 'sign-in.refresh').level).toBe('ok');
    expect(finding(diagnosis, 'sign-in.sign-out').level).toBe('ok');
    expect(types.filter((type) => type.startsWith('device.'))).toEqual([
      'device.registered',
      'device.refreshed',
    ]);
    expect(types.at(-1)).toBe('session.revoked');
  });

  it('works with anti-CSRF tokens, too', async () => {
    const options = { ...OPTIONS, antiCsrf: 'VIA_TOKEN' as const };
    expect(problemCodes(await examine({ adapter, options }))).toEqual([]);
  });

  it.each<[string, Parameters<typeof examine>[0]]>([
    ['is off', { adapter }],
    ['has DPoP alone', { adapter, options: deviceBound({ dpop: true }) }],
    ['is asked without a sign-in', { adapter, options: OPTIONS, hasSignIn: false }],
  ])('says nothing of it where the option %s', async (_, input) => {
    const diagnosis = await examine(input);
    expect(diagnosis.findings.filter(({ code }) => code.startsWith('device.'))).toEqual([]);
  });

  it('notices that the offer is lost on its way', async () => {
    const proxy = inFront('/login', (exchange) =>
      withHeaders(exchange, { 'secure-session-registration': undefined }),
    );
    const diagnosis = await examine({ adapter, options: OPTIONS, proxy });
    expect(problemCodes(diagnosis)).toEqual(['device.offer']);
    expect(problem(diagnosis, 'device.offer').seen).toBe(
      'the response to POST /login has no Secure-Session-Registration',
    );
  });

  it.each([302, 401, 403, 429])(
    'notices what responds %s in front of the renewal (D44, D45)',
    async (status) => {
      const diagnosis = await examine({ adapter, options: OPTIONS, proxy: inFront(RENEW, foreign(status)) });
      expect(problemCodes(diagnosis)).toContain('device.routes');
      expect(problem(diagnosis, 'device.routes').seen).toContain(
        `POST ${RENEW} without a session returns ${status} instead of 400, which is not the response of the module`,
      );
      expect(JSON.stringify(diagnosis)).not.toContain('Please sign in');
    },
  );

  it('notices what responds in front of the registration', async () => {
    const diagnosis = await examine({ adapter, options: OPTIONS, proxy: inFront(REGISTER, foreign(429)) });
    expect(problem(diagnosis, 'device.routes').seen).toContain(`POST ${REGISTER} with a key returns 429`);
  });

  it.each<[string, (line: string) => string, string]>([
    [
      'SameSite',
      (line) => line.replace('SameSite=lax', 'SameSite=strict').replace('SameSite=Lax', 'SameSite=Strict'),
      'SameSite',
    ],
    [
      'a path',
      (line) => line.replace('__Host-', '__Secure-').replace(/Path=\/(?=;|$)/i, 'Path=/api'),
      'does not set it',
    ],
    ['HttpOnly', (line) => line.replace(/; HttpOnly/i, ''), 'HttpOnly'],
    ['the cookie itself', () => 'other=1', 'does not set it'],
  ])('notices a proxy that changes %s of the bound cookie (D36)', async (_, change, seen) => {
    const proxy = inFront(RENEW, changedCookies(change));
    const diagnosis = await examine({ adapter, options: OPTIONS, proxy });
    expect(problemCodes(diagnosis)).toEqual(['device.attributes']);
    expect(problem(diagnosis, 'device.attributes').seen).toContain(seen);
  });

  it('notices that the application takes itself for another origin (D30)', async () => {
    const ask = { api: 'https://eu.api.shop.io/auth' };
    const diagnosis = await examine({ adapter, options: OPTIONS, ask });
    expect(problem(diagnosis, 'device.origin').seen).toContain('https://api.shop.io');
  });
});

describe('the certificate of an API that binds sessions', () => {
  const examined = (hasTrustedCertificate: boolean) => {
    const ours = ['cross-origin-resource-policy: same-origin'];
    const deviceRoute = {
      ...responded('POST', `${API}/session/device/refresh`, 400, ours),
      hasTrustedCertificate,
    };
    const findings = checkDevice(factsOf({ signIn: signInWith(SIGNED_IN), deviceRoute }));
    return findings.find(({ code }) => code === 'device.certificate')?.level;
  };

  it('has to be trusted', () => {
    expect(examined(true)).toBe('ok');
    expect(examined(false)).toBe('error');
  });
});
