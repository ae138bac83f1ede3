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
    file: 'lib/core/embedded/rotation.ts',
    code: 'for (let attempt = 0; attempt < MAX_REFRESH_ATTEMPTS; attempt++) {',
    to: 'attempt <= MAX_REFRESH_ATTEMPTS',
    why: 'one round more than eight before the same error',
  },
  {
    file: 'lib/core/embedded/rotation.ts',
    code: "if (row === undefined || decision === 'UNKNOWN_SESSION') return unauthorised(SESSION_GONE);",
    to: 'false',
    why: 'the first half only tells the compiler: the decision about a missing row is UNKNOWN_SESSION',
  },
  {
    file: 'lib/core/embedded/rotation.ts',
    code: "if (row === undefined || decision === 'MISSING') {",
    to: 'false',
    why: 'the first half only tells the compiler: the decision about a missing row is MISSING',
  },
  {
    file: 'lib/core/embedded/rotation.ts',
    code: "if (row !== undefined && isUpdated) await this.emit('session.promoted', row, userContext);",
    to: 'true',
    why: 'the first half only tells the compiler: a store that has updated a row returns it',
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
    file: 'lib/sessions/refresh-decisions.ts',
    code: 'mark !== undefined && this.context.transport.isLateFor({ sessionHandle: session.getHandle(), mark })',
    to: 'true',
    why: 'no position in the log is at least one that is not given',
  },
  {
    file: 'lib/sessions/refresh-decisions.ts',
    code: 'if (!devices.isOn) return { before: undefined, now: undefined };',
    to: '{}',
    why: 'both members are undefined either way',
  },
  {
    file: 'lib/sessions/refresh-decisions.ts',
    code: "if (decision === undefined) return 'allow';",
    to: '""',
    why: 'whatever is neither step-up nor end lets the refresh go on',
  },
  {
    file: 'lib/sessions/refresh.ts',
    code: 'default:',
    to: 'default:',
    why: 'only the compiler needs it: the cases above are all that there are',
  },
  {
    file: 'lib/sessions/refresh.ts',
    code: "const fromHeader = allowed === 'cookie' ? undefined : transport.readToken(request, 'refresh', 'header');",
    to: '""',
    why: 'only a cookie is looked for by the kind of token, and what is not read as a cookie is read from the header',
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
  {
    file: 'lib/sessions/verify.ts',
    code: 'return accessToken === undefined ? undefined : this.context.verifier.recall(accessToken);',
    to: 'true',
    why: 'the verifier looks for what it remembers by itself; it parses the token before, which takes longer',
  },
  {
    file: 'lib/sessions/verify.ts',
    code: 'if (info === undefined || accessToken === undefined) return undefined;',
    to: 'false',
    why: 'only the compiler needs the second half: a session that was proven has a token',
  },
  {
    file: 'lib/sessions/verify.ts',
    code: 'if (options.overrideGlobalClaimValidators === undefined && !this.parts().hasClaimChecks) return session;',
    to: 'false',
    why: 'without checks of claims the list of validators is empty, so that the check ends at once; it takes longer',
  },
  {
    file: 'lib/sessions/verify.ts',
    code: 'if (rateLimits === undefined && !channels.sessionRefused.hasSubscribers) return outcome;',
    to: 'false',
    why: 'where there is neither a listener nor a limiter, the same error passes one handler more, which takes longer',
  },
  {
    file: 'lib/tokens/access-token-claims.ts',
    code: '...(parentRefreshTokenHash1 === undefined ? {} : { parentRefreshTokenHash1 }),',
    to: 'false',
    why: 'a member without a value is left out of the JSON of a token',
  },
  {
    file: 'lib/tokens/access-token-claims.ts',
    code: '...(antiCsrfToken === undefined ? {} : { antiCsrfToken }),',
    to: 'false',
    why: 'a member without a value is left out of the JSON of a token',
  },
  {
    file: 'lib/tokens/access-token-claims.ts',
    code: "const hash = ''.padEnd(64);",
    to: '"Stryker was here!"',
    why: 'only the length counts, and the text is shorter than the length to which it is filled',
  },
  {
    file: 'lib/tokens/access-token-claims.ts',
    code: "sessionHandle: `${''.padEnd(37)}${ids.tenantId}`,",
    to: '"Stryker was here!"',
    why: 'only the length counts, and the text is shorter than the length to which it is filled',
  },
  {
    file: 'lib/tokens/access-token-claims.ts',
    code: "antiCsrfToken: ''.padEnd(36),",
    to: '"Stryker was here!"',
    why: 'only the length counts, and the text is shorter than the length to which it is filled',
  },
  {
    file: 'lib/tokens/access-token-format.ts',
    code: "export const LEGACY_HEADER_V2: string = LEGACY_HEADERS[1] ?? '';",
    to: '"Stryker was here!"',
    why: 'only the compiler needs it: the list has two entries',
  },
  {
    file: 'lib/tokens/access-token-format.ts',
    code: "const required = (name: string): string => text(name) ?? '';",
    to: '"Stryker was here!"',
    why: 'only the compiler needs it: no token without these texts is parsed',
  },
  {
    file: 'lib/tokens/access-token-format.ts',
    code: 'headerPart === undefined ||',
    to: 'false',
    why: 'only the compiler needs it: a text that is split has a first part',
  },
  {
    file: 'lib/tokens/access-token-format.ts',
    code: 'if (header === undefined || payload === undefined) return undefined;',
    to: 'false',
    why: 'only the compiler needs the first half: without a header the payload is not read',
  },
  {
    file: 'lib/tokens/access-token-format.ts',
    code: "const algorithm = typeof alg === 'string' && !Object.hasOwn(header, 'crit') ? alg : undefined;",
    to: 'true',
    why: 'the same refusal: what is no text is none of the two algorithms',
  },
  {
    file: 'lib/tokens/expected-claims.ts',
    code: "return typeof iss === 'string' && issuers.includes(iss);",
    to: 'true',
    why: 'a list of texts holds nothing that is no text',
  },
  {
    file: 'lib/tokens/expected-claims.ts',
    code: "return aud.every((name) => typeof name === 'string') ? aud : [];",
    to: '["Stryker was here"]',
    why: 'no application has this name',
  },
  {
    file: 'lib/tokens/front-token.ts',
    code: "return Buffer.from(json, 'utf8').toString('base64');",
    to: '""',
    why: 'UTF-8 is what Node takes where none is named',
  },
  {
    file: 'lib/tokens/jwks-cache.ts',
    code: 'const message = `The core has not sent its keys within ${RENEWAL_WAIT_MS} ms`;',
    to: '``',
    why: 'the reason of a timeout is replaced by the outcome of the load before anything gets it',
  },
  {
    file: 'lib/tokens/jwks-cache.ts',
    code: 'this.failure ??= new CoreUnavailableError(message, { cause: error });',
    to: '{}',
    why: 'the reason of a timeout is replaced by the outcome of the load before anything gets it',
  },
  {
    file: 'lib/tokens/jwks-cache.ts',
    code: '!this.loading.isRunning && this.askedAtMs !== undefined && this.isWithin(COOLDOWN_MS, this.askedAtMs)',
    to: 'true',
    why: 'no time is within a period that has no beginning',
  },
  {
    file: 'lib/tokens/jws.ts',
    code: "const hasTime = algorithm === 'ES256' ? !eventLoop.isBusy : eventLoop.takeTurn();",
    why: 'the same signature, by the main thread or by the thread pool',
  },
  {
    file: 'lib/tokens/access-token-format.ts',
    code: 'headerPart === undefined ||',
    to: 'headerPart === undefined && payloadPart === undefined',
    why: 'a text without a second part has no third one either',
  },
  {
    file: 'lib/tokens/access-token-format.ts',
    code: 'payloadPart === undefined ||',
    to: 'false',
    why: 'a text without a second part has no third one either',
  },
  {
    file: 'lib/tokens/key-pairs.ts',
    code: "const [, publicHalf = '', separator = '', privateHalf = ''] =",
    to: '/([^|;]*)([|;]?)([^|;]*)/',
    why: 'an expression that matches every text matches at its beginning',
  },
  {
    file: 'lib/tokens/key-pairs.ts',
    code: 'const privateKey = await importPKCS8(pem, half.algorithm, { extractable: true });',
    to: '{}',
    why: 'Node warns of the key only from 24 on (DEP0204)',
  },
  {
    file: 'lib/tokens/jws.ts',
    code: 'if (algorithm === undefined) return false;',
    to: 'false',
    why: 'jose refuses as well where no algorithm is allowed',
  },
  {
    file: 'lib/tokens/key-pairs.ts',
    code: "const [, publicHalf = '', separator = '', privateHalf = ''] =",
    to: '"Stryker was here!"',
    why: 'only the compiler needs it: the expression matches every text, with all of its groups',
  },
  {
    file: 'lib/tokens/key-pairs.ts',
    code: "const [, publicHalf = '', separator = '', privateHalf = ''] =",
    to: '["Stryker was here"]',
    why: 'only the compiler needs it: the expression matches every text',
  },
  {
    file: 'lib/tokens/key-pairs.ts',
    code: "const { kty = '', ...members } = await exportJWK(",
    to: '"Stryker was here!"',
    why: 'only the compiler needs it: every exported key has a kind',
  },
  {
    file: 'lib/tokens/key-pairs.ts',
    code: 'const privateKey = await importPKCS8(pem, half.algorithm, { extractable: true });',
    to: 'false',
    why: 'Node warns of the key only from 24 on (DEP0204)',
  },
  {
    file: 'lib/tokens/key-pairs.ts',
    code: 'await importSPKI(spki, algorithm, { extractable: true }),',
    to: '{}',
    why: 'a public key can be exported either way',
  },
  {
    file: 'lib/tokens/token-verifier.ts',
    code: 'default:',
    to: 'default:',
    why: 'only the compiler needs it: the cases above are all that there are',
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
