import { beforeAll, describe, expect, it } from '@jest/globals';
import { MemoryStore } from '../../../lib/stores/memory.store.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { coreExchanges } from '../../fixtures/core-exchanges.js';
import { DYNAMIC_TEST_KEY, STATIC_TEST_KEY } from '../../fixtures/signing-keys.js';

import { Replay, type ComparableResponse } from '../../support/replay.js';
import { startServedCore, type ServedCore, type ServedCoreInput } from '../../support/served-core.js';

/**
 * The responses of ours that differ from those of the Core 10.1.8, and why. The same table stands in
 * docs/protocol/core.md H3.
 */
const DIFFERENCES: readonly { ids: string; ours: Partial<ComparableResponse>; because: string }[] = [
  {
    ids: 'A1 B3',
    ours: { status: 200, body: { versions: ['5.0', '5.1', '5.2', '5.3', '5.4', '5.5', '5.6'] } },
    because: 'only these versions are served',
  },
  {
    ids: 'B4 B5 B6 B7 B46 B79',
    ours: { status: 400, body: matching(/^cdi-version \S+ is lower than the minimum allowed version 5\.0$/) },
    because: 'older versions have other tokens and other responses, and no SDK of today asks for them',
  },
  {
    ids: 'B12',
    ours: { status: 400, body: 'cdi-version header is invalid' },
    because: 'newer Cores respond so, too (A3 check 4)',
  },
  {
    ids: 'A27',
    ours: { status: 200, body: containing({ status: 'OK' }) },
    because:
      'both refreshes of one token got the same successor, so there is no losing branch to look like theft',
  },
  {
    ids: 'B19 B22',
    ours: {
      status: 400,
      body: 'The user id must be 1 to 128 characters without NUL or half surrogate pairs',
    },
    because: 'an empty user id is a mistake, and longer ones do not fit the column of the PostgreSQL plugin',
  },
  {
    ids: 'B34 B37',
    ours: { status: 200, body: containing({ status: 'OK' }) },
    because: 'whole numbers beyond 2^53 become the nearest double, as everywhere in JavaScript',
  },
  {
    ids: 'B35',
    ours: {
      status: 200,
      body: containing({
        session: containing({ userDataInJWT: { big: 1e30, f: 1, neg: -0.5, u: 'é😀</script>' } }),
      }),
    },
    because: 'a body is UTF-8 even where its content type names no charset',
  },
  {
    ids: 'B47 B48 B49 B50 B51 B53 B54',
    ours: {
      status: 200,
      body: { status: 'UNAUTHORISED', message: 'The refresh token is not one of ours' },
    },
    because:
      'one message for every token that cannot be opened: it tells an attacker nothing, and names no Java class',
  },
  {
    ids: 'B68 B73 B74',
    ours: { status: 200, body: { status: 'TRY_REFRESH_TOKEN', message: 'Invalid JWT' } },
    because: 'the message comes without the name of a Java class',
  },
  {
    ids: 'B70',
    ours: { status: 200, body: { status: 'TRY_REFRESH_TOKEN', message: 'JWT verification failed' } },
    because: 'the message comes without the name of a Java class',
  },
  {
    ids: 'B71',
    ours: { status: 200, body: { status: 'TRY_REFRESH_TOKEN', message: 'JWT header missing - kid' } },
    because:
      'an empty signature is still the third part of a token; the header is what is wrong with it first',
  },
  {
    ids: 'B69',
    ours: { status: 200, body: { status: 'TRY_REFRESH_TOKEN', message: 'Invalid JWT' } },
    because: 'malformed input is never a 500',
  },
  {
    ids: 'B103',
    ours: { status: 200, body: { status: 'UNAUTHORISED', message: 'Invalid JWT' } },
    because: 'malformed input is never a 500',
  },
  {
    ids: 'B76 B77',
    ours: { status: 200, body: { status: 'UNAUTHORISED', message: 'Session does not exist.' } },
    because: 'tenants are not registered anywhere, so a handle of an unused one is just unknown',
  },
  {
    ids: 'B107',
    ours: { status: 200, body: containing({ session: containing({ tenantId: 't9' }) }) },
    because: 'tenants are not registered anywhere: one exists from its first session on',
  },
  {
    ids: 'B85',
    ours: {
      status: 200,
      body: { status: 'OK', sessionHandlesRevoked: ['c64030b1-6a45-424b-b2fc-4e61501253b9'] },
    },
    because: 'a handle that is given twice is reported once',
  },
  {
    ids: 'B113',
    ours: { status: 200, body: containing({ status: 'OK' }) },
    because: 'the list follows from B4 to B7 (no sessions here) and B34, B37 (sessions here)',
  },
];

const exchanges = coreExchanges().map((exchange) => ({
  ...exchange,
  id: `${exchange.part}${exchange.number}`,
  call: `${exchange.request.method} ${exchange.request.path}`,
}));
const responses = new Map<string, { recorded: ComparableResponse; ours: ComparableResponse }>();

/** Plays the whole recording against our core, each request at its recorded second. */
async function playRecording(): Promise<void> {
  const cores = [await coreOfPartsAAndB(), await coreOfB139()] as const;
  const startOfSecond = exchanges.findIndex(({ id }) => id === 'B139');
  const replay = new Replay();
  for (const [index, exchange] of exchanges.entries()) {
    const core = cores[index < startOfSecond ? 0 : 1];
    const { status, headers, body } = exchange.answer;
    core.clock.set(Date.parse(headers['date'] ?? ''));
    const ours = await core.send(replay.requestOf(exchange));
    replay.learn(exchange, ours);
    responses.set(exchange.id, {
      recorded: replay.comparable(status, headers, body),
      ours: replay.comparable(ours.status, ours.headers, ours.text),
    });
  }
  await Promise.all(cores.map((core) => core.close()));
}

async function coreOfPartsAAndB(): Promise<ServedCore> {
  return coreWithKeys(1_795_222_473_695, 's-915054eb-d75f-4229-b614-e3b1a855984d');
}

async function coreOfB139(): Promise<ServedCore> {
  return coreWithKeys(1_795_222_698_871, 's-2ba77dfd-9297-43a5-8380-644e8f4f05f6', {
    options: { apiKeys: ['asdfasdfasdfasdfasdf', 'second-key-0123456789abcdef'] },
    coreOptions: { accessTokenValiditySec: 2, refreshTokenValiditySec: 6 },
  });
}

/** The recorded ids and times of making, with other key material. */
async function coreWithKeys(
  createdAtMs: number,
  staticKid: string,
  input: ServedCoreInput = {},
): Promise<ServedCore> {
  const store = new MemoryStore();
  await store.addDynamicKey({ createdAtMs, value: DYNAMIC_TEST_KEY }, 0);
  await store.addStaticKey({ kid: staticKid, createdAtMs, value: STATIC_TEST_KEY, algorithm: 'RS256' });
  return startServedCore({
    ...input,
    clock: new TestClock(createdAtMs),
    coreOptions: { ...input.coreOptions, store },
  });
}

function responsesTo(id: string): { recorded: ComparableResponse; ours: ComparableResponse } {
  const found = responses.get(id);
  if (found === undefined) throw new Error(`There is no recorded exchange ${id}`);
  return found;
}

function matching(pattern: RegExp): string {
  return expect.stringMatching(pattern) as unknown as string;
}

function containing(part: Record<string, unknown>): Record<string, string> {
  return expect.objectContaining(part) as unknown as Record<string, string>;
}

describe('the conversation with a real SuperTokens Core 10.1.8, replayed against the served core', () => {
  const differing = new Set(DIFFERENCES.flatMap(({ ids }) => ids.split(' ')));

  beforeAll(playRecording);

  it('is complete', () => {
    expect(responses.size).toBe(195);
  });

  it.each(exchanges.filter(({ id }) => !differing.has(id)))(
    'gives the same response to $id, $call',
    ({ id }) => {
      const { recorded, ours } = responsesTo(id);
      expect(ours).toEqual(recorded);
    },
  );

  it.each(DIFFERENCES.flatMap(({ ids, ...row }) => ids.split(' ').map((id) => ({ id, ...row }))))(
    'gives another response to $id, because $because',
    ({ id, ours: expected }) => {
      const { recorded, ours } = responsesTo(id);
      expect(ours).toMatchObject(expected);
      expect(ours).not.toEqual(recorded);
    },
  );

  it('lists in B113 what the recording lists, but for the sessions that only one of the cores made', () => {
    const handlesIn = ({ body }: ComparableResponse): string[] =>
      (body as { sessionHandles: string[] }).sessionHandles;
    const { recorded, ours } = responsesTo('B113');
    const made = (id: string): unknown =>
      (responsesTo(id).recorded.body as { session: { handle: string } }).session.handle;
    const common = handlesIn(recorded).filter(
      (handle) => !['B4', 'B5', 'B6', 'B7'].map(made).includes(handle),
    );
    expect(handlesIn(ours)).toEqual(expect.arrayContaining(common));
    expect(handlesIn(ours)).toHaveLength(common.length + 2);
  });
});
