// Bugs in the feed of revocations and in what an instance remembers. See list.mjs.
const CACHE = 'lib/tokens/verified-token-cache.ts';
const WATCH = 'lib/feed/revocation-watch.ts';
const INDEX = 'lib/feed/revocation-index.ts';
const SPEC = 'test/sessions/revocation-feed.spec';

/** @type {readonly import('./list.mjs').Mutant[]} */
export const FEED_MUTANTS = [
  {
    name: 'cache-without-epoch',
    bug: 'a proof that began before a revocation is remembered after it',
    edits: [[CACHE, ' || before.epoch !== this.revocations)\n', ')\n']],
    models: [],
    specs: ['lib/tokens/verified-token-cache', 'lib/tokens/access-token-verifier'],
  },
  {
    name: 'cache-without-generation',
    bug: 'remembered tokens outlive the removal of their key',
    edits: [[CACHE, 'if (generation !== this.generation) {', 'if (generation < this.generation) {']],
    models: [],
    specs: ['lib/tokens/verified-token-cache', 'lib/tokens/access-token-verifier'],
  },
  {
    name: 'cache-beyond-expiry',
    bug: 'a remembered token is good after it has expired',
    edits: [
      [
        CACHE,
        'if (nowMs < entry.validity.fromMs || nowMs >= entry.validity.untilMs) return undefined;',
        'if (nowMs < entry.validity.fromMs) return undefined;',
      ],
    ],
    models: [],
    specs: ['lib/tokens/verified-token-cache', 'lib/tokens/access-token-verifier'],
  },
  {
    name: 'cache-by-the-end-of-a-token',
    bug: 'a token is taken for another one with the same end',
    edits: [
      [
        CACHE,
        'if (entry === undefined || entry.token !== token) return undefined;',
        'if (entry === undefined) return undefined;',
      ],
    ],
    models: [],
    specs: ['lib/tokens/verified-token-cache', 'lib/tokens/access-token-verifier'],
  },
  {
    name: 'cache-keeps-ended-sessions',
    bug: 'the tokens of a revoked session stay remembered',
    edits: [
      [
        'lib/tokens/token-verifier.ts',
        'this.cache.deleteSessions(sessionHandles);',
        'this.cache.deleteSessions(sessionHandles.slice(1));',
      ],
    ],
    models: ['feed'],
    specs: ['test/sessions/remembered-tokens', SPEC],
  },
  {
    name: 'proof-dated-at-its-end',
    bug: 'what a read proves counts from its end, though it shows the state of its beginning',
    edits: [
      [
        WATCH,
        'if (!mayHaveMore) this.provenMs = askedMs;',
        'if (!mayHaveMore) this.provenMs = Math.max(askedMs, clock.now());',
      ],
    ],
    models: ['feed'],
    specs: [SPEC],
  },
  {
    name: 'proof-at-the-first-page',
    bug: 'the first of many pages makes the knowledge complete',
    edits: [[WATCH, 'if (!mayHaveMore) this.provenMs = askedMs;', 'this.provenMs = askedMs;']],
    models: [],
    specs: [SPEC],
  },
  {
    name: 'never-stale',
    bug: 'old knowledge is never too old',
    edits: [
      [
        WATCH,
        'return age >= 0 && age <= this.staleAfterMs;',
        'return age >= 0 && age < Number.POSITIVE_INFINITY;',
      ],
    ],
    models: ['feed'],
    specs: [SPEC],
  },
  {
    name: 'clock-set-back-proves',
    bug: 'a clock that was set back makes old knowledge young',
    edits: [[WATCH, 'return age >= 0 && age <= this.staleAfterMs;', 'return age <= this.staleAfterMs;']],
    models: [],
    specs: [SPEC],
  },
  {
    name: 'page-passed-over',
    bug: 'a page of the feed is passed over, and the next one follows it',
    edits: [
      [
        WATCH,
        '    const work = this.parts.feed.read(this.position);\n',
        '    const work = this.parts.feed.read(this.position);\n    this.position = (await work).position;\n    await Promise.resolve();\n    if (this.provenMs > 0 && this.parts.clock.now() - this.provenMs > 0) return false;\n',
      ],
    ],
    models: [],
    specs: [SPEC],
  },
  {
    name: 'own-end-not-known',
    bug: 'the process that ends a session goes on with its tokens until it reads the feed',
    edits: [
      [
        'lib/feed/revocation-publisher.ts',
        '    this.admit(records);\n    if (this.publishing.isPublisher)',
        '    if (this.publishing.isPublisher)',
      ],
      [
        'lib/sessions/session-reports.ts',
        '    this.transport.noteEnded(sessionHandles);\n    this.forget(sessionHandles);\n  }\n\n  /**\n   * Ends the sockets',
        '    this.transport.noteEnded(sessionHandles);\n  }\n\n  /**\n   * Ends the sockets',
      ],
    ],
    models: ['feed'],
    specs: [SPEC, 'test/sessions/remembered-tokens'],
  },
  {
    name: 'answer-older-than-cut-off',
    bug: 'a response to a question from before a cut-off counts as one after it',
    edits: [
      [
        INDEX,
        'Math.max(askedAt, this.confirmed.get(sessionHandle) ?? askedAt)',
        'Math.max(this.changes, askedAt, this.confirmed.get(sessionHandle) ?? askedAt)',
      ],
    ],
    models: [],
    specs: ['lib/feed/revocation-index', SPEC],
  },
  {
    name: 'record-forgotten-early',
    bug: 'a record is dropped while tokens of its session are still valid',
    edits: [
      [INDEX, 'if (record.untilMs < nowMs) continue;', 'if (record.notBeforeMs + 1 < nowMs) continue;'],
    ],
    models: [],
    specs: [SPEC],
  },
  {
    name: 'full-index-forgets',
    bug: 'an index that is full forgets ended sessions without a doubt',
    edits: [
      [
        INDEX,
        'if (untilMs === Number.NEGATIVE_INFINITY) return false;',
        'if (untilMs > Number.NEGATIVE_INFINITY) return false;',
      ],
    ],
    models: [],
    specs: [SPEC],
  },
  {
    name: 'clock-difference-ignored',
    bug: 'a cut-off of an instance whose clock is behind spares tokens that it ends',
    edits: [
      [
        INDEX,
        'timeCreatedMs >= cutOff.notBeforeMs + MAX_CLOCK_DIFFERENCE_MS',
        'timeCreatedMs >= cutOff.notBeforeMs + 0 * MAX_CLOCK_DIFFERENCE_MS',
      ],
    ],
    models: [],
    specs: [SPEC, 'test/sessions/revocation-feed-of-core'],
  },
];
