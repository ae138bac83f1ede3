import { createHmac, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader, exportJWK, jwtVerify } from 'jose';
import type { AuditKind, AuditRecord } from '../../../lib/audit/audit-record.js';
import { Deliverer } from '../../../lib/audit/deliverer.js';
import { DeliveryError, type AuditDelivery } from '../../../lib/audit/delivery.js';
import { MemoryTrail } from '../../../lib/audit/memory-trail.js';
import { MemoryValues } from '../../../lib/audit/shared-values.js';
import { securityEvents } from '../../../lib/signals/security-events.js';
import { webhook } from '../../../lib/signals/webhook.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { closeAfterTest } from '../../support/close-after-test.js';
import { TEST_START_MS } from '../../support/embedded.js';

const KEEP_MS = 86_400_000;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

interface Fault {
  readonly sessionHandle: string;
  readonly error: Error;
}

/** A trail, and instances that deliver it. */
function setting() {
  const clock = new TestClock(TEST_START_MS);
  const [trail, values] = [new MemoryTrail(), new MemoryValues()];
  const delivered: string[] = [];
  const faults = new Map<string, Error>();
  const fake: AuditDelivery = {
    name: 'fake',
    maxAttempts: 3,
    wants: ({ kind }) => kind !== 'session.promoted',
    deliver: async (record) => {
      const fault = faults.get(record.sessionHandle ?? '');
      if (fault !== undefined) throw fault;
      delivered.push(`${record.sessionHandle} ${record.reason}`);
    },
  };
  const instance = (delivery: AuditDelivery = fake): Deliverer =>
    new Deliverer({ delivery, trail, values, clock, keepMs: KEEP_MS });
  const write = async (
    handle: string,
    reason: string,
    kind: AuditKind = 'session.revoked',
  ): Promise<void> => {
    const timeMs = clock.now();
    const subject = { sessionHandle: handle, tenantId: 't1', recipeUserId: 'user-1' };
    await trail.append([{ kind, timeMs, keepUntilMs: timeMs + KEEP_MS, details: { reason }, subject }]);
  };
  const failures = async (): Promise<readonly AuditRecord[]> => {
    const kinds = ['delivery.failed'] as const;
    return (await trail.read({ kinds, newestFirst: false, after: undefined, limit: 100 })).records;
  };
  const fail = ({ sessionHandle, error }: Fault): void => void faults.set(sessionHandle, error);
  return { clock, trail, delivered, faults, fail, instance, write, failures };
}

describe('delivering the audit trail', () => {
  it('delivers what is wanted once, and what is written later', async () => {
    const { instance, write, delivered } = setting();
    const deliverer = instance();
    for (let n = 0; n < 250; n++) await write(`s${n % 10}`, String(n));
    await write('s1', 'unwanted', 'session.promoted');
    await deliverer.run();
    expect(delivered).toHaveLength(250);
    for (let session = 0; session < 10; session++) {
      const numbers = delivered
        .filter((line) => line.startsWith(`s${session} `))
        .map((line) => Number(line.slice(3)));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    await write('s1', 'later');
    await deliverer.run();
    expect(delivered.slice(250)).toEqual(['s1 later']);
  });

  it('holds up the session whose record fails, and no other; it goes on in order', async () => {
    const { instance, write, delivered, fail, faults, clock } = setting();
    const deliverer = instance();
    fail({ sessionHandle: 's1', error: new Error('503') });
    await write('s1', 'a');
    await write('s2', 'b');
    await write('s1', 'c');
    await deliverer.run();
    expect(delivered).toEqual(['s2 b']);
    faults.clear();
    await deliverer.run();
    expect(delivered).toEqual(['s2 b']); // not due yet
    clock.advance(1000);
    await deliverer.run();
    expect(delivered).toEqual(['s2 b', 's1 a', 's1 c']);
  });

  it('waits as long as the receiver asks for', async () => {
    const { instance, write, delivered, fail, faults, clock } = setting();
    const deliverer = instance();
    fail({ sessionHandle: 's1', error: new DeliveryError('429', { retryAfterMs: 20_000 }) });
    await write('s1', 'a');
    await deliverer.run();
    faults.clear();
    clock.advance(19_999);
    await deliverer.run();
    expect(delivered).toEqual([]);
    clock.advance(1);
    await deliverer.run();
    expect(delivered).toEqual(['s1 a']);
  });

  it('gives a record up after the last attempt, keeps it for a list, and goes on with the session', async () => {
    const { instance, write, delivered, fail, faults, clock, failures } = setting();
    const deliverer = instance();
    fail({ sessionHandle: 's1', error: new Error('500') });
    await write('s1', 'a');
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await failures()).toEqual([]);
      await deliverer.run();
      clock.advance(600_000);
    }
    const [failure] = await failures();
    expect(failure).toMatchObject({
      kind: 'delivery.failed',
      delivery: 'fake',
      attempts: 3,
      reason: '500',
      sessionHandle: 's1',
      record: { kind: 'session.revoked', reason: 'a' },
    });
    faults.clear();
    await write('s1', 'b');
    await deliverer.run();
    expect(delivered).toEqual(['s1 b']);
    expect(await failures()).toHaveLength(1);
  });

  it('gives up at once what no repetition can help', async () => {
    const { instance, write, fail, failures } = setting();
    fail({ sessionHandle: 's1', error: new DeliveryError('400: invalid_request', { isFinal: true }) });
    await write('s1', 'a');
    await instance().run();
    expect(await failures()).toMatchObject([{ attempts: 1, reason: '400: invalid_request' }]);
  });

  it('reads no further while too many wait, and loses none of them', async () => {
    const { instance, write, delivered, fail, faults, clock } = setting();
    const deliverer = instance();
    for (let n = 0; n < 700; n++) await write(`s${n}`, 'x');
    for (let n = 0; n < 700; n++) fail({ sessionHandle: `s${n}`, error: new Error('503') });
    await deliverer.run();
    faults.clear();
    for (let round = 0; round < 8; round++) {
      clock.advance(600_000);
      await deliverer.run();
    }
    expect(new Set(delivered).size).toBe(700);
  });

  it('is done by one instance at a time; another one takes over when the first is gone, where it was', async () => {
    const { instance, write, delivered, clock } = setting();
    const [first, second] = [instance(), instance()];
    await write('s1', 'a');
    await first.run();
    await write('s1', 'b');
    await second.run();
    expect(delivered).toEqual(['s1 a']);
    clock.advance(30_001); // the first one died
    await second.run();
    expect(delivered).toEqual(['s1 a', 's1 b']);
    await write('s1', 'c');
    await first.run();
    expect(delivered).toEqual(['s1 a', 's1 b']);
    await second.stop(); // which lets the other go on at once
    await first.run();
    expect(delivered).toEqual(['s1 a', 's1 b', 's1 c']);
  });

  it('is done by one instance also where attempts are slow and a round begins late', async () => {
    const { instance, write, clock } = setting();
    const delivered: string[] = [];
    const second = instance({
      name: 'slow',
      wants: () => true,
      deliver: async ({ reason }) => void delivered.push(`second ${reason}`),
    });
    const first = instance({
      name: 'slow',
      wants: () => true,
      deliver: async ({ reason }) => {
        clock.advance(9000);
        await second.run();
        delivered.push(`first ${reason}`);
      },
    });
    await first.run();
    clock.advance(14_000);
    await write('s1', 'a');
    await write('s1', 'b');
    await first.run();
    expect(delivered).toEqual(['first a', 'first b']);
  });
});

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A receiver on the loopback that responds with what is next. */
async function receiver() {
  const received: Received[] = [];
  const responses: { status: number; headers?: Record<string, string>; body?: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      const { status, headers = {}, body: text = '' } = responses.shift() ?? { status: 202 };
      response.writeHead(status, headers).end(text);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeAfterTest(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received, responses };
}

const RECORD: AuditRecord = {
  id: 'mgkqpu80-1a',
  kind: 'session.revoked',
  timeMs: TEST_START_MS,
  sessionHandle: 'handle-1',
  tenantId: 't1',
  recipeUserId: 'user-1/google',
  userId: 'user-1',
  reason: '<script>"\u202e\u0007',
  initiator: 'admin/7',
};
const signal = new AbortController().signal;

describe('a webhook', () => {
  it('is signed as Standard Webhooks says, by each secret', async () => {
    const { url, received } = await receiver();
    const second = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
    await webhook({ url, secret: [SECRET, second] }).deliver(RECORD, signal);
    const [{ headers, body } = { headers: {}, body: '' }] = received;
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    const sign = (key: Buffer): string => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
    expect(headers['webhook-signature']).toBe(`${sign(Buffer.alloc(32, 7))} ${sign(Buffer.alloc(24, 9))}`);
    expect(headers['webhook-id']).toBe(RECORD.id);
    expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60);
    expect(JSON.parse(body)).toEqual({
      type: 'session.revoked',
      timestamp: new Date(TEST_START_MS).toISOString(),
      data: RECORD,
    });
  });

  it.each([
    [{ status: 500 }, { isFinal: false, retryAfterMs: undefined }],
    [
      { status: 429, headers: { 'retry-after': '7' } },
      { isFinal: false, retryAfterMs: 7000 },
    ],
    [{ status: 503, headers: { 'retry-after': '0' } }, { retryAfterMs: undefined }], // all attempts at once would lose the record
    [{ status: 302, headers: { location: 'http://127.0.0.1:1/' } }, { isFinal: false }],
    [{ status: 410 }, { isFinal: true }],
  ])('takes %j as a failure', async (response, failure) => {
    const { url, responses } = await receiver();
    responses.push(response);
    const error: unknown = await webhook({ url, secret: SECRET })
      .deliver(RECORD, signal)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DeliveryError);
    expect(error).toMatchObject(failure);
  });

  it('takes a receiver that is away as a failure, whose message has no secret', async () => {
    const delivering = webhook({ url: 'http://127.0.0.1:1/', secret: SECRET }).deliver(RECORD, signal);
    await expect(delivering).rejects.not.toMatchObject({ message: expect.stringContaining(SECRET) });
  });

  it('is refused with an address or a secret that is none, without showing it', () => {
    expect(() => webhook({ url: 'http://example.com/', secret: SECRET })).toThrow(/https: address/);
    expect(() => webhook({ url: 'https://u:p@example.com/', secret: SECRET })).toThrow(/without a user/);
    expect(() => webhook({ url: 'https://:p@example.com/', secret: SECRET })).toThrow(/without a user/);
    expect(() => webhook({ url: 'https://example.com/', secret: 'hunter2' })).toThrow(/whsec_/);
    expect(() => webhook({ url: 'https://example.com/', secret: 'hunter2' })).not.toThrow(/hunter2/);
    expect(() => webhook({ url: 'https://example.com/', secret: [] })).toThrow(/at least one/);
  });
});

it.each([0, 101, 1.5, Number.NaN])('a webhook is not tried %d times', (maxAttempts) => {
  expect(() => webhook({ url: 'https://example.com/', secret: SECRET, maxAttempts })).toThrow(
    'webhook: maxAttempts: a whole number from 1 to 100 is expected',
  );
});

describe('a security event', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const options = {
    issuer: 'https://api.example.com',
    audience: 'https://receiver.example.com',
    key: { privateKey, kid: 'events-1', algorithm: 'RS256' },
  } as const;

  it('is a CAEP session-revoked that the application signed, pushed as RFC 8935 says', async () => {
    const { url, received } = await receiver();
    await securityEvents({ ...options, url, authorization: () => 'Bearer push' }).deliver(RECORD, signal);
    const [{ headers, body } = { headers: {}, body: '' }] = received;
    expect(headers).toMatchObject({
      'content-type': 'application/secevent+jwt',
      authorization: 'Bearer push',
    });
    expect(decodeProtectedHeader(body)).toEqual({ alg: 'RS256', kid: 'events-1', typ: 'secevent+jwt' });
    const { payload } = await jwtVerify(body, await exportJWK(publicKey), {
      issuer: options.issuer,
      audience: options.audience,
      typ: 'secevent+jwt',
    });
    const seconds = Math.floor(TEST_START_MS / 1000);
    expect(payload).toEqual({
      iss: options.issuer,
      aud: options.audience,
      jti: RECORD.id,
      iat: seconds,
      sub_id: {
        format: 'complex',
        session: { format: 'opaque', id: 'handle-1' },
        user: { format: 'iss_sub', iss: options.issuer, sub: 'user-1' },
        tenant: { format: 'opaque', id: 't1' },
      },
      events: {
        'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {
          event_timestamp: seconds,
          initiating_entity: 'admin',
          reason_admin: { en: RECORD.reason },
        },
      },
    });
  });

  it.each([
    ['user', { initiator: 'user-1', reason: 'sign-out' }],
    ['user', { initiator: 'account-1', reason: 'ended-by-user' }],
    ['admin', { initiator: 'support-7', reason: 'ended-by-actor' }],
    ['system', { initiator: undefined }],
  ])('names the initiating entity %s of %j', async (entity, told) => {
    const { url, received } = await receiver();
    const { initiator: _none, ...record } = RECORD;
    await securityEvents({ ...options, url }).deliver({ ...record, ...told } as AuditRecord, signal);
    const { events } = decodeJwt<{ events: object }>(received[0]?.body ?? '');
    expect(Object.values(events)).toMatchObject([{ initiating_entity: entity }]);
  });

  it('is given up where the receiver refuses it, with the code of the refusal, and tried again otherwise', async () => {
    const { url, responses } = await receiver();
    const { deliver } = securityEvents({ ...options, url });
    responses.push({ status: 400, body: '{"err":"invalid_audience","description":"<b>"}' }, { status: 401 });
    await expect(deliver(RECORD, signal)).rejects.toMatchObject({
      isFinal: true,
      message: 'The receiver responded with 400: invalid_audience',
    });
    await expect(deliver(RECORD, signal)).rejects.toMatchObject({ isFinal: false });
  });

  it('is made of ended sessions, and of the cut-off of a tenant', () => {
    const { wants } = securityEvents({ ...options, url: 'https://receiver.example.com/' });
    const kind = (value: AuditKind, more: Partial<AuditRecord> = {}): boolean =>
      wants({ id: '1', timeMs: 1, kind: value, ...more });
    expect(kind('session.revoked')).toBe(true);
    expect(kind('session.expired')).toBe(false);
    expect(kind('session.promoted')).toBe(false);
    expect(kind('sessions.ended-before', { tenantId: 't1' })).toBe(true);
    expect(kind('sessions.ended-before')).toBe(false);
  });
});
