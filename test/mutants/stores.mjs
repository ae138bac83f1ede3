// Bugs in the SQL stores and in the signing keys. See list.mjs.
const SQL = 'lib/stores/sql.store.ts';
const CONDITIONS = 'lib/stores/sql-conditions.ts';
const KEYS = 'lib/core/embedded/signing-keys.ts';
const FEED = 'lib/stores/sql-revocations.ts';

/** @type {readonly import('./list.mjs').Mutant[]} */
export const STORE_MUTANTS = [
  {
    name: 'sql-no-hash-in-where',
    bug: 'the UPDATE of a promotion has no hash in its WHERE',
    edits: [
      [
        CONDITIONS,
        "    ...compare(`${table}refresh_token_hash_2 =`, refreshTokenHash2, 'TEXT'),\n",
        "    ...compare(`${table}refresh_token_hash_2 <>`, refreshTokenHash2 && '', 'TEXT'),\n",
      ],
    ],
    models: [],
    specs: ['test/contract/sqlite-store'],
  },
  {
    name: 'sql-no-expiry-in-where',
    bug: 'the UPDATE of a promotion does not look at the expiry',
    edits: [
      [
        CONDITIONS,
        "    ...compare(`${table}expires_at >=`, minExpiresAtMs, 'BIGINT'),\n",
        "    ...compare(`${table}expires_at <>`, minExpiresAtMs && 0, 'BIGINT'),\n",
      ],
    ],
    models: [],
    specs: ['test/contract/sqlite-store'],
  },
  {
    name: 'upsert-instead-of-update',
    bug: 'an update of a removed row inserts it again',
    edits: [
      [
        'lib/stores/memory.store.ts',
        '    const row = this.findRow(key);\n    if (row === undefined || !meetsCondition(row, where)) return undefined;\n',
        '    const row = this.findRow(key) ?? this.removedRows.get(key.sessionHandle);\n    if (row === undefined || !meetsCondition(row, where)) return undefined;\n',
      ],
      [
        'lib/stores/memory.store.ts',
        '    if (row === undefined || !this.rows.delete(row.sessionHandle)) return false;\n',
        '    if (row === undefined || !this.rows.delete(row.sessionHandle)) return false;\n    this.removedRows.set(row.sessionHandle, row);\n',
      ],
      [
        'lib/stores/memory.store.ts',
        '  private readonly feed = new MemoryFeed();\n',
        '  private readonly feed = new MemoryFeed();\n  private readonly removedRows = new Map<string, SessionRow>();\n',
      ],
    ],
    models: [],
    specs: ['test/contract/memory-store', 'test/contract/embedded-core'],
  },
  {
    name: 'notify-before-commit',
    bug: 'instances are told of ended sessions before the removal is committed',
    edits: [
      [
        SQL,
        '    const rows = await runRecorded(this.connection, deletion,',
        '    if (note) this.feed.announce();\n    const rows = await runRecorded(this.connection, deletion,',
      ],
      [SQL, '    if (note && rows.length > 0) this.feed.announce();\n    return Array', '    return Array'],
    ],
    models: [],
    specs: ['test/contract/announcements'],
  },
  {
    name: 'record-not-written',
    bug: 'sessions are removed without a record for the other instances',
    edits: [
      [
        'lib/stores/memory.store.ts',
        'if (note) this.feed.add(removed.map',
        'if (note && removed.length > 1) this.feed.add(removed.map',
      ],
    ],
    models: [],
    specs: ['test/contract/memory-store', 'test/sessions/revocation-feed.spec'],
  },
  {
    name: 'expiry-without-record',
    bug: 'the sweep of PostgreSQL removes expired sessions without a record in the audit trail',
    edits: [['lib/stores/sql-client.ts', "${input.recording('removed', values)}", '']],
    models: [],
    specs: ['test/contract/audit-trail'],
    tests: 'PostgreSQL',
  },
  {
    name: 'audit-by-number-alone',
    bug: 'the audit trail on PostgreSQL goes on from the highest number, though lower ones may be committed later',
    edits: [
      [
        'lib/stores/sql-audit-pages.ts',
        "seen: target, target: '', last: 0, timeMs }",
        'seen, target, last: reached ?? place.last, timeMs }',
      ],
    ],
    models: [],
    specs: ['test/contract/audit-trail'],
    tests: 'PostgreSQL .*where the last page ended',
  },
  {
    name: 'catch-up-without-overlap',
    bug: 'the feed on PostgreSQL is read from the highest transaction that was begun, not from the oldest one that was open',
    edits: [
      [
        FEED,
        'WHERE written_by >= (SELECT GREATEST(pg_snapshot_xmin(seen), writer) FROM now)',
        'WHERE written_by >= (SELECT GREATEST(pg_snapshot_xmax(seen), writer) FROM now)',
      ],
    ],
    models: [],
    specs: ['test/processes/revocations-on-postgres'],
  },
  {
    name: 'catch-up-skips-a-page',
    bug: 'after a full page the feed on SQLite goes on at its end instead of after the page',
    edits: [
      [
        FEED,
        "position: mayHaveMore\n        ? String(readNumber(rows.at(-1) ?? {}, 'position'))\n        : readText(rows[0] ?? {}, 'reached'),",
        "position: readText(rows[0] ?? {}, 'reached'),",
      ],
    ],
    models: [],
    specs: ['test/contract/sqlite-store'],
  },
  {
    name: 'key-of-the-future',
    bug: 'a rotating key that a wrong clock made counts, and stops the rotation',
    edits: [
      [
        'lib/core/embedded/clock-doubts.ts',
        'return this.clock.now() + MAX_CLOCK_SKEW_MS;',
        'return this.clock.now() + 1e6 * MAX_CLOCK_SKEW_MS;',
      ],
    ],
    models: [],
    specs: ['test/core/embedded/signing-keys'],
  },
  {
    name: 'removed-key-remembered',
    bug: 'tokens of a removed key stay remembered',
    edits: [
      [
        KEYS,
        'if (before.some((key) => !kept.has(key.kid))) this.removals++;',
        'if (before.every((key) => !kept.has(key.kid))) this.removals++;',
      ],
    ],
    models: [],
    specs: ['test/core/embedded/signing-keys', 'test/e2e/keys-and-versions'],
  },
  {
    name: 'key-signs-at-once',
    bug: 'a new rotating key signs before the others have read it',
    edits: [[KEYS, 'return isNewestFresh && canSecondSign;', 'return isNewestFresh && !canSecondSign;']],
    models: [],
    specs: ['test/core/embedded/signing-keys'],
  },
];
