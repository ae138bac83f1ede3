import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { AccessTokenVerifier } from '../../../lib/tokens/access-token-verifier.js';
import { parseWithoutVerifying } from '../../../lib/tokens/access-token.js';
import { CoreAttemptError } from '../../../lib/core/remote/core-call-errors.js';
import type { HttpCoreClient } from '../../../lib/core/remote/http-core-client.js';
import {
  CoreBadInputError,
  CoreError,
  CoreResponseError,
  CoreUnavailableError,
} from '../../../lib/errors.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { CORE_OPERATIONS, operation, SECRETS } from '../../support/core-operations.js';
import { TEST_START_MS } from '../../support/embedded.js';
import {
  babble,
  clientOf,
  cutShort,
  drip,
  FakeCore,
  flood,
  GOOD_RESPONSES,
  hang,
  redirectTo,
  reset,
  sendJson,
  sendText,
  until,
  type Behaviour,
} from '../../support/fake-core.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';

/** The timeout for faults without a response. */
const SHORT_TIMEOUT_MS = 400;
/** The timeout for faults with a response; long enough for a busy machine. */
const TIMEOUT_MS = 5000;
/** The delay that a busy machine may add. */
const SLACK_MS = 10_000;

let core: FakeCore;
let client: HttpCoreClient | undefined;

beforeAll(async () => {
  core = await FakeCore.start();
});
afterEach(async () => {
  await client?.close();
  client = undefined;
  core.reset();
});
afterAll(async () => core.kill());

function connect(options: Parameters<typeof clientOf>[1] = {}): HttpCoreClient {
  client = clientOf(core, { apiKey: SECRETS.apiKey, requestTimeoutMs: TIMEOUT_MS, ...options });
  return client;
}

/** The error that a call must end in, and how long it took. */
async function failureOf(call: Promise<unknown>): Promise<{ error: CoreError; tookMs: number }> {
  const startedMs = performance.now();
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CoreError)) throw new Error(`the call ended in ${String(error)}`);
  return { error, tookMs: performance.now() - startedMs };
}

function causeOf(error: CoreError): CoreAttemptError {
  if (!(error.cause instanceof CoreAttemptError)) throw new Error('the error has no attempt as its cause');
  return error.cause;
}

type ErrorClass = typeof CoreUnavailableError | typeof CoreResponseError | typeof CoreBadInputError;

const FAULTS: [fault: string, behaviour: Behaviour, expected: ErrorClass, status: number | undefined][] = [
  ['cuts the connection after reading', reset, CoreUnavailableError, undefined],
  ['never responds', hang, CoreUnavailableError, undefined],
  ['drips its response', drip, CoreUnavailableError, undefined],
  ['closes in the middle of its response', cutShort, CoreUnavailableError, undefined],
  ['responds with 503', sendText(503, 'Service Unavailable'), CoreUnavailableError, 503],
  ['responds with 500', sendText(500, `java.lang.Error: ${SECRETS.access}`), CoreResponseError, 500],
  ['responds with 401', sendText(401, 'Invalid API key\n'), CoreResponseError, 401],
  ['responds with 404', sendText(404, 'Not found\n'), CoreResponseError, 404],
  ['redirects', redirectTo('http://127.0.0.1:1/elsewhere'), CoreResponseError, 302],
  [
    'responds with HTML with status 200',
    sendText(200, '<html>Sign in to the WLAN</html>'),
    CoreResponseError,
    200,
  ],
  [
    'responds with broken JSON',
    sendText(200, '{"status":"OK","ses', 'application/json'),
    CoreResponseError,
    200,
  ],
  ['responds with a JSON list', sendJson([]), CoreResponseError, 200],
  ['responds with an unknown status', sendJson({ status: 'MAYBE' }), CoreResponseError, 200],
  ['sends 50 MB', flood(50 * 1024 * 1024), CoreResponseError, undefined],
  ['speaks another protocol', babble, CoreResponseError, undefined],
];

describe('a core that misbehaves (S097, S099)', () => {
  describe.each(FAULTS)('%s', (_fault, behaviour, expected, status) => {
    it.each(CORE_OPERATIONS)(
      'ends $name in the documented error within the documented time',
      async (used) => {
        const requestTimeoutMs = [hang, drip].includes(behaviour) ? SHORT_TIMEOUT_MS : TIMEOUT_MS;
        const remote = connect({ requestTimeoutMs });
        await operation('getPrimaryUserId')(remote); // the version is agreed
        core.received.length = 0;
        core.on('*', behaviour);

        const { error, tookMs } = await failureOf(used.run(remote));

        expect(error).toBeInstanceOf(expected);
        expect(tookMs).toBeLessThan(requestTimeoutMs + SLACK_MS);
        expect(causeOf(error)).toMatchObject({ host: core.uri, status });
        expect(causeOf(error).path).toContain(used.path);
        // S098: neither key nor token nor body in anything that may be logged
        const shown = `${error.stack} ${causeOf(error).stack} ${JSON.stringify(causeOf(error))}`;
        for (const secret of Object.values(SECRETS)) expect(shown).not.toContain(secret);
      },
    );
  });

  it('is never asked to create a session twice, not even where the first request may not have arrived', async () => {
    for (const behaviour of [reset, hang, cutShort, sendText(503, '')]) {
      core.reset();
      core.on('/public/recipe/session', behaviour);
      const remote = connect({ requestTimeoutMs: SHORT_TIMEOUT_MS });
      expect((await failureOf(operation('createSession')(remote))).error).toBeInstanceOf(
        CoreUnavailableError,
      );
      expect(core.calls).toEqual(['POST /public/recipe/session']);
      await remote.close();
    }
  });

  it('ends a call in CoreUnavailableError when nobody listens, or whoever listens hangs up at once', async () => {
    const gone = await FakeCore.start();
    await gone.kill();
    client = clientOf(gone, { requestTimeoutMs: TIMEOUT_MS });
    const refused = await failureOf(operation('verifySession')(client));
    expect(refused.error).toBeInstanceOf(CoreUnavailableError);
    expect(refused.error.message).toMatch(/no connection \(ECONNREFUSED\)/);
    expect(refused.tookMs).toBeLessThan(SLACK_MS);
    await client.close();

    core.refusesToRead = true;
    const cut = await failureOf(operation('verifySession')(connect()));
    expect(cut.error).toBeInstanceOf(CoreUnavailableError);
    expect(core.received).toEqual([]);
  });

  it.each<[name: string, versions: unknown]>([
    ['only old and future versions', { versions: ['2.7', '2.21', '3.1', '5.5', '5.7', '6.0'] }],
    ['no list', { status: 'OK' }],
    ['a list of numbers', { versions: [5.4] }],
    ['an empty list', { versions: [] }],
  ])(
    'that offers %s is refused with a clear error, again and again (T273, C156, S099)',
    async (_name, versions) => {
      core.on('/apiversion', sendJson(versions));
      const remote = connect();
      for (let attempt = 1; attempt <= 2; attempt++) {
        const { error } = await failureOf(operation('createSession')(remote));
        expect(error).toBeInstanceOf(CoreResponseError);
        expect(causeOf(error).path).toBe('/apiversion');
        expect(core.received).toHaveLength(attempt);
      }
      expect(core.calls).toEqual([]);
      core.on('/apiversion', sendJson(GOOD_RESPONSES.versions));
      await operation('createSession')(remote);
    },
  );

  it('that refuses the input is quoted in one short line without secrets (S098)', async () => {
    const text = `Field name '${SECRETS.access}'\n is ${SECRETS.apiKey} \u001b[31minvalid ${'x'.repeat(5000)}`;
    core.on('/recipe/session/verify', sendText(400, text));
    const { error } = await failureOf(operation('verifySession')(connect()));
    expect(error).toBeInstanceOf(CoreBadInputError);
    expect(error.message).toMatch(
      /refused POST \/recipe\/session\/verify: Field name '…' is … \[31minvalid x+$/,
    );
    expect(error.message.length).toBeLessThan(260);
  });

  it('with another API key responds with 401, which tells the operator what to look at (T270)', async () => {
    core.on('*', sendText(401, 'Invalid API key\n'));
    const { error } = await failureOf(operation('createSession')(connect()));
    expect(error).toBeInstanceOf(CoreResponseError);
    expect(error.message).toMatch(/apiversion.*401.*apiKey/);
  });

  it('may send as much as maxResponseBytes allows', async () => {
    const handles = { status: 'OK', sessionHandles: Array.from({ length: 100 }, (_, i) => `handle-${i}`) };
    core.on('/recipe/session/user', sendJson(handles));
    await expect(
      operation('getSessionHandlesOfUser')(connect({ maxResponseBytes: 4096 })),
    ).resolves.toHaveLength(100);
    await client?.close();
    const { error } = await failureOf(
      operation('getSessionHandlesOfUser')(connect({ maxResponseBytes: 1024 })),
    );
    expect(error.message).toMatch(/longer than 1024 bytes/);
  });
});

describe('a core that limits the rate', () => {
  const waits: number[] = [];
  const sleep = async (ms: number): Promise<void> => void waits.push(ms);
  const limited = sendText(429, 'slow down');

  afterEach(() => {
    waits.length = 0;
  });

  it('is asked again after 10, 260 and 510 ms until it responds (T271, C154)', async () => {
    const remote = (client = clientOf(core, {}, { sleep }));
    core.on('/public/recipe/session', limited, limited, limited, sendJson(GOOD_RESPONSES.created));
    await expect(operation('createSession')(remote)).resolves.toMatchObject({
      session: { userId: 'user-1' },
    });
    expect(waits).toEqual([10, 260, 510]);
  });

  it('for ever is given up after six requests and 2.55 s of waiting (T272, C155, S097)', async () => {
    const remote = (client = clientOf(core, {}, { sleep }));
    core.on('/recipe/session/verify', limited);
    const { error } = await failureOf(operation('verifySession')(remote));
    expect(error).toBeInstanceOf(CoreUnavailableError);
    expect(causeOf(error).status).toBe(429);
    expect(core.calls).toHaveLength(6);
    expect(waits).toEqual([10, 260, 510, 760, 1010]);
    expect(waits.reduce((sum, ms) => sum + ms)).toBe(2550);
  });

  it('has a budget for each host, and the next host in turn gets the repeat', async () => {
    const other = await FakeCore.start();
    const remote = (client = clientOf([core, other], {}, { sleep }));
    core.on('/recipe/session/verify', limited);
    other.on('/recipe/session/verify', limited, sendJson(GOOD_RESPONSES.verified));
    await expect(operation('verifySession')(remote)).resolves.toMatchObject({ status: 'OK' });
    expect(waits).toEqual([10, 10]);
    await other.kill();
  });
});

describe('a core that hangs', () => {
  it('does not slow down the verification of tokens whose key is known (S100)', async () => {
    const clock = new TestClock(TEST_START_MS);
    const remote = (client = clientOf(core, { requestTimeoutMs: 600_000 }, { clock }));
    const verifier = new AccessTokenVerifier(remote.verificationKeys, clock, {
      clockToleranceSec: 0,
      maxCachedTokens: 0, // each verification looks for its key and does the signature work
    });
    const token = parseWithoutVerifying(jwt(V5_HEADER, V5_CLAIMS));
    if (token === undefined) throw new Error('no access token');
    // CPU time, of the best of several rounds, because other work of the machine must not matter here. A verification that
    // waited for the core would outlast this test.
    const roundMs = async (): Promise<number> => {
      const before = process.cpuUsage();
      for (let i = 0; i < 200; i++) await verifier.verify(token);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    const bestRoundMs = async (): Promise<number> => {
      const rounds: number[] = [];
      for (let i = 0; i < 8; i++) rounds.push(await roundMs());
      return Math.min(...rounds);
    };
    await operation('getPrimaryUserId')(remote);
    await roundMs();
    const quietMs = await bestRoundMs();

    core.on('*', hang);
    const waiting = Array.from({ length: 50 }, async () => failureOf(operation('verifySession')(remote)));
    await until(() => core.calls.filter((call) => call.endsWith('/verify')).length === 50);
    const besideMs = await bestRoundMs();

    expect(besideMs).toBeLessThan(2 * quietMs + 20);
    await remote.close();
    for (const { error } of await Promise.all(waiting)) expect(error).toBeInstanceOf(CoreUnavailableError);
  });

  it('is left alone after five timeouts, says so in its health, and is back once a probe got its response (S100)', async () => {
    const clock = new TestClock();
    const remote = (client = clientOf(core, { requestTimeoutMs: SHORT_TIMEOUT_MS }, { clock }));
    const verify = operation('verifySession');
    await verify(remote);
    expect(remote.hostHealth).toEqual([{ host: core.uri, state: 'UP', consecutiveFailures: 0 }]);
    core.on('*', hang);
    await Promise.all(Array.from({ length: 5 }, async () => failureOf(verify(remote))));
    expect(remote.hostHealth).toEqual([{ host: core.uri, state: 'BLOCKED', consecutiveFailures: 5 }]);

    core.received.length = 0;
    const { error, tookMs } = await failureOf(verify(remote));
    expect(error).toBeInstanceOf(CoreUnavailableError);
    expect(tookMs).toBeLessThan(SHORT_TIMEOUT_MS);
    expect(core.received).toEqual([]);

    core.reset();
    clock.advance(1000);
    await failureOf(verify(remote)); // this one still finds nobody, but sends the probe
    await until(() => remote.hostHealth.every(({ state }) => state === 'UP'));
    await expect(verify(remote)).resolves.toMatchObject({ status: 'OK' });
    expect(core.received[0]?.path).toBe('/apiversion');
  });
});

describe('closing the client', () => {
  it('ends what is under way and leaves nobody to ask', async () => {
    const remote = connect({ requestTimeoutMs: 60_000 });
    await operation('getPrimaryUserId')(remote);
    core.on('*', hang);
    const waiting = failureOf(operation('verifySession')(remote));
    await until(() => core.calls.length === 2);
    await remote.close();
    expect((await waiting).error).toBeInstanceOf(CoreUnavailableError);
    expect((await failureOf(operation('verifySession')(remote))).error).toBeInstanceOf(CoreUnavailableError);
    expect(core.calls).toHaveLength(2);
  });

  it('ends the waiting for a core that limits the rate', async () => {
    const remote = connect();
    core.on('*', sendText(429, ''));
    const waiting = failureOf(operation('verifySession')(remote));
    await until(() => core.received.length === 3);
    await remote.close();
    expect((await waiting).error).toBeInstanceOf(CoreUnavailableError);
  });
});
