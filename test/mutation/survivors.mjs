// Mutants that no test finds, read one by one, each with its reason. A mutant is named by its file and by the line of code in which it begins; `to` names its
// replacement where only one of several is meant. `npm run mutation` fails for one that is not here.

/** @typedef {{ file: string, code: string, to?: string, why: string }} Survivor */

/** @type {readonly Survivor[]} */
export const SURVIVORS = [
  {
    file: 'lib/core/embedded/at-once-decisions.ts',
    code: "if (prevRefreshTokenHash2 === undefined) return 'STALE_LINEAGE';",
    to: 'false',
    why: 'the same decision: safeEqual is false for a missing hash, so that the last line says STALE_LINEAGE',
  },
  {
    file: 'lib/core/embedded/at-once-decisions.ts',
    code: 'const isWithinGrace = rotatedAtMs !== undefined && nowMs <= rotatedAtMs + gracePeriodMs;',
    to: 'true',
    why: 'the same decision: no time is at most one that is not a number',
  },
  {
    file: 'lib/core/embedded/refresh-rotation.ts',
    code: 'row.prevRefreshTokenHash2 !== undefined &&',
    to: 'true',
    why: 'the same decision: safeEqual is false for a missing hash',
  },
  {
    file: 'lib/core/embedded/refresh-rotation.ts',
    code: 'row.rotatedAtMs !== undefined &&',
    to: 'true',
    why: 'the same decision: no time is at most one that is not a number',
  },
  {
    file: 'lib/core/embedded/rotation-at-once.ts',
    code: 'return this.turns.run(JSON.stringify([tenantId, sessionHandle]), async () =>',
    to: '[]',
    why: 'refreshes of different sessions take turns with each other: they wait longer, and each has the same result',
  },
  {
    file: 'lib/core/embedded/rotation-at-once.ts',
    code: 'if (found.row !== undefined && found.isUpdated) return this.issuePair(refresh, next, found.row);',
    to: 'true',
    why: 'a store that has updated a row returns it',
  },
  {
    file: 'lib/core/embedded/rotation-at-once.ts',
    code: 'for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {',
    to: 'attempt <= MAX_ATTEMPTS',
    why: 'one round more than a hundred before the same error',
  },
  {
    file: 'lib/core/embedded/rotation-at-once.ts',
    code: "if (row === undefined || decision === 'UNKNOWN_SESSION') return unauthorised(SESSION_GONE);",
    to: 'false',
    why: 'the first half only tells the compiler: the decision about a missing row is UNKNOWN_SESSION',
  },
  {
    file: 'lib/session.guard.ts',
    code: 'this.shared.remember(context, undefined, () => this.getRequestAndResponse(context));',
    to: '() => undefined',
    why: 'where there is no session, the request is not looked for',
  },
  {
    file: 'lib/session.guard.ts',
    code: "return typeof req === 'object' && req !== null && Object.isExtensible(req)",
    to: 'true',
    why: 'Object.isExtensible says no to null, to texts and to numbers by itself, and a request is no function',
  },
  {
    file: 'lib/session.guard.ts',
    code: "return typeof req === 'object' && req !== null && Object.isExtensible(req)",
    to: "typeof req === 'object' || req !== null",
    why: 'Object.isExtensible says no to null, to texts and to numbers by itself, and a request is no function',
  },
  {
    file: 'lib/session.guard.ts',
    code: 'if (byHandler === undefined) this.rules.set(',
    to: 'true',
    why: 'the rules of a route are read again at each request, which takes longer, and they are the same',
  },
  {
    file: 'lib/session.guard.ts',
    code: 'if (rules === undefined) byHandler.set(',
    to: 'true',
    why: 'the rules of a route are read again at each request, which takes longer, and they are the same',
  },
  {
    file: 'lib/sessions/session-proofs.ts',
    code: "if (kid?.startsWith('d-') !== this.parts.config.useDynamicAccessTokenSigningKey) {",
    to: 'kid.startsWith',
    why: 'a token without the name of a key is one of version 2, which the line above lets pass',
  },
  {
    file: 'lib/sessions/session-proofs.ts',
    code: 'const verdict = info === known ? revocations?.judgeRemembered() : revocations?.judge(info);',
    to: 'false',
    why: 'the whole question has the same answer for a remembered token, which is forgotten when its session ends; it takes longer',
  },
  {
    file: 'lib/sessions/verify.ts',
    code: 'proof === undefined ? this.verify(input, known) : chain(proof, () => this.verify(input, known));',
    to: 'false',
    why: 'chain calls the same function at once where there is nothing to wait for',
  },
  {
    file: 'lib/sessions/verify.ts',
    code: 'private recall(accessToken: string | undefined): AccessTokenInfo | undefined {',
    to: '{}',
    why: 'the verifier looks for what it remembers by itself; it parses the token before, which takes longer',
  },
  {
    file: 'lib/sessions/verify.ts',
    code: 'if (info !== undefined && accessToken !== undefined && this.needsCore(info, input, known))',
    to: 'true',
    why: 'only the compiler needs both halves: a missing session does not need the core, and a session that was proven has a token',
  },
  {
    file: 'lib/sessions/verify.ts',
    code: 'if (info !== undefined && accessToken !== undefined && this.needsCore(info, input, known))',
    to: 'info !== undefined || accessToken !== undefined',
    why: 'only the compiler needs both halves: a missing session does not need the core, and a session that was proven has a token',
  },
];

/**
 * @param {string} file
 * @param {string} code the line in which the mutant begins, without blanks around it
 * @param {{ replacement?: string }} mutant
 * @returns {string | undefined}
 */
export function explanationOf(file, code, { replacement = '' }) {
  return SURVIVORS.find(
    (each) =>
      each.file === file && code.includes(each.code) && (each.to === undefined || each.to === replacement),
  )?.why;
}
