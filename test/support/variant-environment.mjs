import { basename } from 'node:path';
import { env } from 'node:process';
import TogetherEnvironment from '../together/environment.mjs';

const KEYS_COME_LATER =
  'counts the calls of a store, to which the first loading of the published keys adds some';
const ENDS_BY_USER_ONLY = 'ends all sessions at once, which the CDI cannot';
const STORE_OF_THE_CORE = 'closes a store, which belongs to the served core, not to the application';

/**
 * The tests of the e2e suites that are not for a remote core, and why: a whole file, or beginnings of the names of tests.
 *
 * They are left out of the variant rather than skipped: they are about the embedded core.
 *
 * @type {Readonly<Record<string, string | readonly (readonly [start: string, reason: string])[]>>}
 */
export const NOT_FOR_REMOTE = {
  'claims.e2e-spec.ts': [
    ['are fetched when missing, stored once', KEYS_COME_LATER],
    ['get the same response when a handler checks them', KEYS_COME_LATER],
  ],
  'cold-start-in-outage.e2e-spec.ts': [
    ['counts no refresh while its store is away', 'looks at a store, which belongs to the served core'],
  ],
  'delegation.e2e-spec.ts': [
    [
      'go on in another client by a hand-over token',
      'needs values that all instances share, which the CDI does not have',
    ],
  ],
  'keys-and-versions.e2e-spec.ts': [['a new key signs new tokens', KEYS_COME_LATER]],
  'late-responses.e2e-spec.ts': [['carries no token after a cut-off for everybody', ENDS_BY_USER_ONLY]],
  'module.e2e-spec.ts': [
    ['closes the store and completes the events', STORE_OF_THE_CORE],
    ['closes what a start that failed had opened', STORE_OF_THE_CORE],
  ],
  'own-sessions.e2e-spec.ts': [
    ['end in events and records by the user', 'reads the audit trail, which belongs to the served core'],
  ],
  'postgres-error-details.e2e-spec.ts': 'has stores and served cores of its own',
  'provider-logout.e2e-spec.ts': 'needs values that all instances share, which the CDI does not have',
  'verify-session.e2e-spec.ts': [['takes no look at the store', KEYS_COME_LATER]],
};

const WITHIN_GRACE =
  'is no theft by CDI 5.6 within the grace period, which the clock of the test does not leave';
const OTHER_SUCCESSOR =
  'by CDI 5.6 a repeated refresh gets another successor, and that only within the grace period';
const REPLACED_AT_ONCE =
  'by CDI 5.6 a token is current from the refresh on, so that its first use changes nothing';

const OTHER_CALL = 'lets a call of the store fail that a refresh by CDI 5.6 does not make';
const TWO_REFRESHES_OLD =
  'by CDI 5.6 a token from before the last two refreshes has to be refreshed where the database is checked';

/**
 * The tests that they leave out for one that speaks CDI 5.6 as well; test/contract/rotation-at-once.contract.ts asks for what holds there.
 *
 * @type {typeof NOT_FOR_REMOTE}
 */
const NOT_FOR_CDI_5_6 = {
  'guard-at-once.e2e-spec.ts': [
    ['is checked by us and by the core at the first use after a refresh', REPLACED_AT_ONCE],
  ],
  'late-responses.e2e-spec.ts': [
    ['carries the tokens of a living session', REPLACED_AT_ONCE],
    ['carries no token after a theft', WITHIN_GRACE],
    ['takes none of them after a theft either', WITHIN_GRACE],
    ['takes the tokens away if nobody has signed in since', WITHIN_GRACE],
  ],
  'refresh-decisions.e2e-spec.ts': [
    ['asks for a new authentication where the hook says so', TWO_REFRESHES_OLD],
  ],
  'response-headers.e2e-spec.ts': [['the first use of a refreshed token is never cached', REPLACED_AT_ONCE]],
  'store-failure.e2e-spec.ts': [
    ['refreshing:', OTHER_CALL],
    ['leaves the cookie of a very old SDK alone', OTHER_CALL],
    ['the first use of a refreshed token:', REPLACED_AT_ONCE],
    ['does not take a theft for settled', WITHIN_GRACE],
  ],
  'verify-session.e2e-spec.ts': [
    ['promotes a refreshed token at its first use', REPLACED_AT_ONCE],
    ["echoes the request's anti-csrf token with a promotion", REPLACED_AT_ONCE],
  ],
  'refresh.e2e-spec.ts': [
    ['deletes the cookie of a very old SDK at theft', WITHIN_GRACE],
    ['writes no line about the cookie of a very old SDK that did not come, at theft', WITHIN_GRACE],
  ],
  'refresh-options.e2e-spec.ts': [
    [
      'leaves the session alone when the application handles the theft',
      'by CDI 5.6 the core has ended the session',
    ],
  ],
  'lost-response.e2e-spec.ts': [
    ['a client that repeats', OTHER_SUCCESSOR],
    ['another instance on the same store gives the same successor', OTHER_SUCCESSOR],
    ['200 tabs that refresh at once all stay signed in', OTHER_SUCCESSOR],
    ['a thief who refreshes first is found out', WITHIN_GRACE],
  ],
};

/** Runs spec files on a remote core, without the tests that are not for one. */
export default class VariantEnvironment extends TogetherEnvironment {
  constructor(config, context) {
    super(config, context);
    this.file = context.testPath;
  }

  handleTestEvent(event, state) {
    super.handleTestEvent(event, state);
    if (event.name !== 'run_start') return;
    const together = this.fileBlocks();
    if (together.length === 0) leaveOut(this.file, state.rootDescribeBlock);
    for (const block of together) leaveOut(block.name, block);
  }
}

/** @throws {Error} an entry of the list leaves out nothing: it is out of date */
function leaveOut(file, block) {
  const lists = env.E2E_CDI === '5.6' ? [NOT_FOR_REMOTE, NOT_FOR_CDI_5_6] : [NOT_FOR_REMOTE];
  const entries = lists.flatMap((list) => list[basename(file)] ?? []);
  const leftOut = removeTests(block, ({ name: test }) => entries.some(([start]) => test.startsWith(start)));
  for (const [start] of entries) {
    if (!leftOut.some((test) => test.startsWith(start)))
      throw new Error(`NOT_FOR_REMOTE: no test "${start}…" in ${basename(file)}`);
  }
}

/** @returns the names of the tests that are gone */
function removeTests(block, isUnwanted) {
  const gone = block.children.filter((child) => child.type === 'test' && isUnwanted(child));
  block.children = block.children.filter((child) => !gone.includes(child));
  block.tests = block.tests.filter((test) => !gone.includes(test));
  const inner = block.children.filter(({ type }) => type === 'describeBlock');
  return [...gone.map(({ name }) => name), ...inner.flatMap((child) => removeTests(child, isUnwanted))];
}
