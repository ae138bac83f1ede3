// Bugs in the engine: rotation, expiry, limits, merges, sweeps. See list.mjs.
const ROTATION = 'lib/core/embedded/rotation.ts';
const DECISIONS = 'lib/core/embedded/refresh-rotation.ts';
const COLUMNS = 'lib/core/embedded/session-columns.ts';
const REGENERATION = 'lib/core/embedded/regeneration.ts';
const ISSUER = 'lib/core/embedded/session-issuer.ts';
const MEMORY = 'lib/stores/memory.store.ts';
const ENGINE_SPECS = ['test/core/embedded/refresh-rotation', 'test/core/embedded/embedded-core.'];

/** @type {readonly import('./list.mjs').Mutant[]} */
export const ENGINE_MUTANTS = [
  {
    name: 'no-hash-in-where',
    bug: 'a promotion does not compare the current hash',
    edits: [
      [
        ROTATION,
        'where: { refreshTokenHash2: fromHash2, minExpiresAtMs: nowMs },',
        'where: { minExpiresAtMs: nowMs },',
      ],
    ],
    models: ['theft'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'promotion-after-expiry',
    bug: 'a promotion does not compare the expiry, so that an expired session lives on',
    edits: [
      [
        ROTATION,
        'where: { refreshTokenHash2: fromHash2, minExpiresAtMs: nowMs },',
        'where: { refreshTokenHash2: fromHash2 },',
      ],
    ],
    models: ['theft'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'expired-refresh',
    bug: 'the stored expiry is not compared at a refresh',
    edits: [
      [
        DECISIONS,
        "if (row === undefined || row.expiresAtMs < nowMs) return 'UNKNOWN_SESSION';",
        "if (row === undefined) return 'UNKNOWN_SESSION';",
      ],
    ],
    models: ['theft'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'expired-verify',
    bug: 'the stored expiry is not compared at a verification',
    edits: [
      [
        DECISIONS,
        "if (row === undefined || row.expiresAtMs < nowMs) return 'MISSING';",
        "if (row === undefined) return 'MISSING';",
      ],
    ],
    models: [],
    specs: ENGINE_SPECS,
  },
  {
    name: 'at-renewal',
    bug: 'old code: a replaced access token has a whole validity, whoever shows the old one',
    edits: [
      [
        ROTATION,
        'const latestMs = promoted ? row.expiresAtMs : Math.min(info.expiryMs, row.expiresAtMs);',
        'const latestMs = row.expiresAtMs;',
      ],
    ],
    models: ['limits'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'two-successors',
    bug: 'old code: the successor depends on the option antiCsrf of the instance',
    edits: [
      [
        ISSUER,
        'const sealed = hasAntiCsrfToken ? antiCsrfToken : undefined;',
        'const sealed = enableAntiCsrf ? antiCsrfToken : undefined;',
      ],
    ],
    models: ['rolling'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'random-successor',
    bug: 'each exchange of a token makes another successor, as in a Core',
    edits: [
      [
        'lib/tokens/refresh-token.ts',
        "return this.seal(content, this.derive('nonce', toPlaintext(content, '')).toString('hex'));",
        'return this.issue(content);',
      ],
    ],
    models: ['theft'],
    specs: ['lib/tokens/refresh-token', ...ENGINE_SPECS],
  },
  {
    name: 'theft-unseen',
    bug: 'a retired refresh token gets a successor',
    edits: [
      [
        DECISIONS,
        "return wasReplacedJustNow ? 'REPEAT_CHILD' : 'THEFT';",
        "return wasReplacedJustNow ? 'REPEAT_CHILD' : 'ISSUE_CHILD';",
      ],
    ],
    models: ['theft'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'grace-without-end',
    bug: 'the grace period does not end',
    edits: [[DECISIONS, '    nowMs <= row.rotatedAtMs + gracePeriodMs &&\n', '']],
    models: ['grace'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'grace-unasked',
    bug: 'there is a grace period, though none is configured',
    edits: [
      [DECISIONS, '    gracePeriodMs > 0 &&\n    row.prevRefreshTokenHash2', '    row.prevRefreshTokenHash2'],
    ],
    models: ['theft'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'no-grace',
    bug: 'the grace period is not kept: tabs that refresh at once are called thieves',
    edits: [
      [
        DECISIONS,
        'const wasReplacedJustNow =\n    gracePeriodMs > 0 &&',
        'const wasReplacedJustNow =\n    gracePeriodMs > 300_000 &&',
      ],
    ],
    models: ['grace'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'rotation-at-refresh',
    bug: 'the successor is current before anybody has it: a lost response makes the owner a thief',
    edits: [
      [
        ROTATION,
        'if (row.useStaticKey !== useStaticKey) await',
        "if (decision === 'ISSUE_CHILD') await this.parts.store.update(key, {}, { refreshTokenHash2: refreshTokenHash2(child.token) });\n    if (row.useStaticKey !== useStaticKey) await",
      ],
    ],
    models: ['alone'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'lost-race-not-read-again',
    bug: 'a refresh that lost the race decides by the row that it read before',
    edits: [
      [
        ROTATION,
        '\n      row = promoted ?? (await this.parts.store.findSession(key));',
        '\n      row = promoted ?? row;',
      ],
    ],
    models: [],
    specs: ENGINE_SPECS,
  },
  {
    name: 'no-promotion-at-first-use',
    bug: 'the use of a refreshed access token does not make its refresh token current',
    edits: [
      [
        ROTATION,
        '    if (parentRefreshTokenHash1 === undefined) return undefined;\n    const hashes',
        '    if (parentRefreshTokenHash1 !== undefined) return undefined;\n    const hashes',
      ],
    ],
    models: ['theft'],
    specs: ENGINE_SPECS,
  },
  {
    name: 'first-use-not-confirmed',
    bug: 'the guard takes a refreshed access token without asking the core',
    edits: [['lib/sessions/session-proofs.ts', ' || info.parentRefreshTokenHash1 !== undefined;', ';']],
    models: ['theft'],
    specs: ['test/e2e/verify-session', 'test/e2e/refresh'],
  },
  {
    name: 'theft-without-end',
    bug: 'a theft is reported, and the session goes on',
    edits: [
      [
        'lib/sessions/refresh.ts',
        'if (error instanceof TokenTheftDetectedError && revokesStolenSessions)',
        'if (error instanceof TokenTheftDetectedError && !revokesStolenSessions)',
      ],
    ],
    models: ['theft'],
    specs: ['test/e2e/refresh', 'test/sessions/without-request'],
  },
  {
    name: 'merge-without-compare',
    bug: 'a merge overwrites what another writer stored meanwhile',
    edits: [[COLUMNS, '{ ...whileLive(now), [column]: from }', 'whileLive(now)']],
    models: ['data'],
    specs: ['test/core/embedded/embedded-core.data', 'test/contract/embedded-core'],
  },
  {
    name: 'write-after-end',
    bug: 'data of an expired session can be written',
    edits: [
      [
        COLUMNS,
        'return row !== undefined && row.expiresAtMs > this.clock.now() ? row : undefined;',
        'return row;',
      ],
      [COLUMNS, 'return { minExpiresAtMs: nowMs + 1 };', 'return { minExpiresAtMs: Math.min(nowMs, 0) };'],
    ],
    models: ['data'],
    specs: ['test/core/embedded/embedded-core.data', 'test/contract/embedded-core'],
  },
  {
    name: 'limits-lost-at-promotion',
    bug: 'a promotion gives a whole validity, beyond the absolute end',
    edits: [
      [
        ROTATION,
        'const expiresAtMs = sessionExpiryMs(limits, nowMs, this.refreshTokenValidityMs);',
        'const expiresAtMs = nowMs + this.refreshTokenValidityMs + 0 * Object.keys(limits).length;',
      ],
    ],
    models: ['limits'],
    specs: ['test/e2e/lifetimes/absolute-end', 'test/e2e/lifetimes/lifetime-model'],
  },
  {
    name: 'limits-lost-at-read',
    bug: 'the promotion that comes with the read of a refresh passes over the limits',
    edits: [[ROTATION, 'unlessMentioned: NAMES_OF_LIMITS,', 'unlessMentioned: NAMES_OF_LIMITS.slice(2),']],
    models: ['limits'],
    specs: ['test/e2e/lifetimes/absolute-end', 'test/e2e/lifetimes/lifetime-model'],
  },
  {
    name: 'regenerated-for-longer',
    bug: 'a token that is issued anew for a changed payload lives a whole validity from now',
    edits: [
      [
        REGENERATION,
        '      expiryMs: info.expiryMs,\n      parentRefreshTokenHash1: info',
        '      expiryMs: now + 3_600_000,\n      parentRefreshTokenHash1: info',
      ],
    ],
    models: ['limits'],
    specs: ['test/core/embedded/embedded-core.data'],
  },
  {
    name: 'lineage-lost-at-regeneration',
    bug: 'a token that is issued anew loses its parent, so that its use promotes no more',
    edits: [
      [
        REGENERATION,
        'parentRefreshTokenHash1: info.parentRefreshTokenHash1,',
        'parentRefreshTokenHash1: undefined,',
      ],
    ],
    models: [],
    specs: ['test/core/embedded/embedded-core.data', 'test/contract/embedded-core'],
  },
  {
    name: 'verify-extends',
    bug: 'each look at the store gives the session more time',
    edits: [
      [
        ROTATION,
        'const session = await this.issuer.toCoreSession(row);\n    const expiryMs',
        'await this.parts.store.update(key, {}, { expiresAtMs: this.now() + this.refreshTokenValidityMs });\n    const session = await this.issuer.toCoreSession(row);\n    const expiryMs',
      ],
    ],
    models: ['limits'],
    specs: ['test/core/embedded/embedded-core.verify', 'test/e2e/lifetimes/lifetime-model'],
  },
  {
    name: 'sweep-of-the-living',
    bug: 'a sweep removes sessions that have not expired',
    edits: [
      [MEMORY, 'if (next.value.expiresAtMs <= nowMs || this', 'if (next.value.createdAtMs <= nowMs || this'],
    ],
    models: ['alone'],
    specs: ['test/contract/memory-store'],
  },
  {
    name: 'condition-not-checked',
    bug: 'the memory store updates a row whatever its session data is by now',
    edits: [
      ['lib/stores/session-store.ts', 'row.sessionData === (where.sessionData ?? row.sessionData) &&\n', ''],
    ],
    models: ['data'],
    specs: ['test/contract/memory-store'],
  },
  {
    name: 'revocation-not-awaited',
    bug: 'a revocation is confirmed before it is stored',
    edits: [
      [
        'lib/core/embedded/revocations.ts',
        'return store.deleteSessions(keys, this.note(details), audit.ended(details, userContext));',
        'void store.deleteSessions(keys, this.note(details)).catch(() => undefined);\n    return keys.map(({ sessionHandle }) => sessionHandle);',
      ],
    ],
    models: [],
    specs: ['test/e2e/advisories/session-theft', 'test/contract/embedded-core'],
  },
  {
    name: 'negative-jitter',
    bug: 'the jitter makes access tokens live longer instead of shorter',
    edits: [
      [
        ISSUER,
        '(1 - accessTokenValidityJitter * Math.random())',
        '(1 + accessTokenValidityJitter * Math.random())',
      ],
    ],
    models: [],
    specs: ['test/core/embedded/embedded-core.create', 'test/core/embedded/embedded-core.refresh'],
  },
  {
    name: 'tenant-not-compared',
    bug: 'a handle of one tenant finds the session of another',
    edits: [
      [
        MEMORY,
        'return row?.tenantId === tenantId && !this.isCutOff(row) ? row : undefined;',
        "return row !== undefined && tenantId !== '' && !this.isCutOff(row) ? row : undefined;",
      ],
    ],
    models: [],
    specs: ['test/contract/memory-store'],
  },
  {
    name: 'cut-off-goes-back',
    bug: 'a later cut-off with an earlier moment brings ended sessions back',
    edits: [[MEMORY, 'Math.max(known, createdBeforeMs));', 'createdBeforeMs + 0 * known);']],
    models: [],
    specs: ['test/contract/memory-store'],
  },
  {
    name: 'session-limit-off-by-one',
    bug: 'a user may have one session more than the limit',
    edits: [['lib/util/session-cap.ts', 'oldestFirst.length - max + 1', 'oldestFirst.length - max']],
    models: [],
    specs: ['test/e2e/lifetimes/session-cap', 'test/contract/memory-store'],
  },
];
