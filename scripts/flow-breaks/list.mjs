/**
 * Hand-made breaks in flows: a rule or a step stays as it is, but one place no longer uses it. Each is `from` replaced by
 * `to` in one file; `specs` are the nearest ones, tried in their order until one fails.
 *
 * @type {readonly { name: string, file: string, from: string, to: string, specs: readonly string[] }[]}
 */
export const BREAKS = [
  // signing in
  of(
    'sessions/create.ts',
    'signing in leaves the tokens of the other transfer method',
    [
      'if (hasOther && !isForeignRequest(request, config)) transport.clear(request, other);',
      'void hasOther;',
    ],
    ['e2e/create-session.e2e', 'e2e/login-with-foreign'],
  ),
  of(
    'sessions/create.ts',
    'a claim is built without the claims before it',
    [
      'tenantId, accessTokenPayload, userContext);\n      accessTokenPayload',
      'tenantId, {}, userContext);\n      accessTokenPayload',
    ],
    ['sessions/claims-on-sessions', 'e2e/claims', 'sessions/user-roles', 'e2e/lifetimes/authentication'],
  ),
  of(
    'sessions/create.ts',
    'clients by header get an anti-CSRF token',
    ["disableAntiCsrf: transferMethod === 'header',", 'disableAntiCsrf: false,'],
    ['e2e/create-session.e2e', 'e2e/create-session-options'],
  ),
  of(
    'sessions/create.ts',
    'signing in does not look whether the token fits',
    ['transport.assertAccessTokenFits(request, transferMethod, tokenLength);', 'void tokenLength;'],
    ['e2e/response-headers'],
  ),
  of(
    'sessions/create.ts',
    'signing in by cookies that browsers drop',
    ['this.assertBrowsersKeepCookies(request); // C7', 'void this.assertBrowsersKeepCookies;'],
    ['e2e/create-session-options', 'e2e/create-session.e2e'],
  ),
  of(
    'sessions/create.ts',
    'sessions that the limit ends are not reported',
    ['this.context.reports.revoked(result.endedHandles, { userId }, { userContext, reason });', ''],
    ['e2e/lifetimes/session-cap'],
  ),
  of(
    'sessions/create.ts',
    'a user id that is not that of the login method',
    ['if (input.userId !== undefined && input.userId !== userId) {', 'if (false as boolean) {'],
    ['core/server/linked', 'sessions/without-request', 'e2e/create-session-options', 'sessions/'],
  ),
  of(
    'sessions/create.ts',
    'a new session is not remembered among the devices',
    ['devices.remember(created.session.handle);', ''],
    ['e2e/lifetimes/devices', 'sessions/device-writes', 'lib/sessions/devices'],
  ),
  of(
    'sessions/create.ts',
    'signing in reports nothing',
    ["this.context.reports.note('session.created', created.session, input.userContext);", ''],
    ['sessions/events', 'e2e/events/audit'],
  ),
  of(
    'sessions/create.ts',
    'a session that this application would refuse is made',
    ['this.assertAcceptedHere(payload);', 'void this.assertAcceptedHere;'],
    ['e2e/issuer-and-audience'],
  ),
  // verifying
  of(
    'sessions/verify.ts',
    'responses of guarded routes may be shared by caches',
    ['transport.markSessionDependent(sessionRequest);', ''],
    ['e2e/response-headers', 'e2e/advisories/shared-caches'],
  ),
  of(
    'sessions/verify.ts',
    'a 403 keeps the new access token to itself',
    [
      '          session.attach(request, transferMethod, mark);\n          return this.checkClaims(session, options, request.userContext);',
      '          return chain(this.checkClaims(session, options, request.userContext), (checked) => {\n            session.attach(request, transferMethod, mark);\n            return checked;\n          });',
    ],
    ['e2e/claims', 'e2e/verify-session'],
  ),
  of(
    'http/presented-token.ts',
    'two access token cookies: the first counts',
    [
      'if (fromCookie !== undefined && this.places.isOfOtherPlace(request, cookie)) {',
      'if (false as boolean) {',
    ],
    ['e2e/verify-session'],
  ),
  of(
    'sessions/session-proofs.ts',
    'tokens of the other kind of key count',
    ['this.checkKindOfKey(info);', 'void this.checkKindOfKey;'],
    ['e2e/keys-and-versions'],
  ),
  of(
    'sessions/confirm.ts',
    'checkDatabase is not passed to the core',
    ['checkDatabase: options?.checkDatabase === true || revocations', 'checkDatabase: revocations'],
    ['e2e/verify-session', 'e2e/guard-and-decorators'],
  ),
  of(
    'sessions/confirm.ts',
    'a session that ended leaves its tokens with the client',
    [
      'throw new UnauthorisedError(verified.message);',
      'throw new UnauthorisedError(verified.message, { clearTokens: false });',
    ],
    ['e2e/verify-session', 'e2e/keys-and-versions'],
  ),
  of(
    'sessions/session-state.ts',
    'the access token of a promotion is not sent',
    [
      'accessAndFrontTokenUpdated: true,\n    presentedTokenExpiryMs',
      'accessAndFrontTokenUpdated: false,\n    presentedTokenExpiryMs',
    ],
    ['e2e/verify-session', 'e2e/refresh.e2e'],
  ),
  of(
    'sessions/session-state.ts',
    'an older token gets what a newer proof of the user gave',
    ['if (isUnearned || lifetimes.isOlderProof(info.payload, stored)) {', 'if (isUnearned) {'],
    ['e2e/lifetimes/authentication'],
  ),
  of(
    'sessions/verify.ts',
    'refusals are not counted against the rate limits',
    ['await rateLimits?.afterRefusal({ ...refusal, userContext });', ''],
    ['e2e/advisories/counted', 'e2e/events/rate-limits.e2e'],
  ),
  of(
    'sessions/session-proofs.ts',
    'the first use of a refreshed token is not confirmed',
    ['checkDatabase === true || info.parentRefreshTokenHash1 !== undefined;', 'checkDatabase === true;'],
    ['e2e/refresh.e2e', 'e2e/advisories/session-theft'],
  ),
  of(
    'sessions/verify.ts',
    'a replaced getSession is not called by the guard',
    ['if (this.parts().getSession) return this.callReplacement(input, known);', 'void this.callReplacement;'],
    ['e2e/guard-at-once', 'e2e/verify-session'],
  ),
  // refreshing
  of(
    'sessions/refresh.ts',
    'a refresh leaves the tokens of the other transfer method',
    [
      'transport.clear(request, other, { sessionHandle: session.getHandle(), mark }); // R10',
      'void transport;',
    ],
    ['e2e/refresh.e2e', 'e2e/transfer-methods', 'e2e/refresh-options'],
  ),
  of(
    'sessions/refresh.ts',
    'the old cookie stays where there is no refresh token',
    ['if (hasLegacyCookie) transport.clearLegacyCookie(request);\n      throw', 'throw'],
    ['e2e/refresh.e2e', 'e2e/refresh-options'],
  ),
  of(
    'sessions/refresh.ts',
    'the old cookie stays after a refresh',
    ['if (hasLegacyCookie) transport.clearLegacyCookie(request); // R12', ''],
    ['e2e/refresh.e2e', 'e2e/refresh-options', 'e2e/store-failure'],
  ),
  of(
    'sessions/refresh.ts',
    'a core without limits refreshes beyond the absolute end',
    ['await endIfOver(this.context, result.session, input.userContext);', 'void endIfOver;'],
    ['e2e/lifetimes/absolute', 'core/remote/'],
  ),
  of(
    'sessions/refresh.ts',
    'refreshes are not limited',
    [
      'if (rateLimits === undefined) return await refresh();',
      'if (rateLimits === undefined || (true as boolean)) return await refresh();',
    ],
    ['e2e/advisories/counted', 'e2e/events/rate-limits.e2e'],
  ),
  of(
    'sessions/refresh.ts',
    'a theft does not end the session',
    [
      'if (error instanceof TokenTheftDetectedError && revokesStolenSessions)',
      'if (error instanceof TokenTheftDetectedError && revokesStolenSessions && (false as boolean))',
    ],
    ['sessions/without-request', 'e2e/refresh.e2e', 'e2e/refresh-options', 'sessions/'],
  ),
  of(
    'sessions/refresh.ts',
    'a theft ends the session although the application decides by itself',
    [
      'if (error instanceof TokenTheftDetectedError && revokesStolenSessions)',
      'if (error instanceof TokenTheftDetectedError)',
    ],
    ['e2e/refresh-options', 'e2e/error-handlers', 'e2e/refresh.e2e'],
  ),
  of(
    'sessions/refresh.ts',
    'duplicates of the older domain are not cleared',
    ['duplicated.filter((tokenType) => transport.clearDuplicate(request, tokenType));', 'duplicated;'],
    ['e2e/refresh-options', 'e2e/duplicate-cookies'],
  ),
  of(
    'sessions/refresh.ts',
    'a refresh does not check the anti-CSRF token',
    ["enableAntiCsrf: !input.disableAntiCsrf && config.antiCsrf === 'VIA_TOKEN',", 'enableAntiCsrf: false,'],
    ['e2e/refresh.e2e', 'e2e/refresh-options', 'e2e/anti-csrf'],
  ),
  of(
    'sessions/refresh.ts',
    'a refresh signs with the rotating key whatever the option says',
    ['useDynamicSigningKey: config.useDynamicAccessTokenSigningKey,', 'useDynamicSigningKey: true,'],
    ['e2e/keys-and-versions'],
  ),
  // ending
  of(
    'sessions/revoke.ts',
    'ended sessions are not reported',
    ['reports.revoked(revoked, owner, told);', ''],
    ['sessions/events', 'e2e/events/audit', 'e2e/transports/websocket'],
  ),
  of(
    'sessions/revoke.ts',
    'sessions that ended with all of their user are not reported',
    ['reports.revoked(revoked, { userId }, { userContext, ...details });', ''],
    ['sessions/events', 'e2e/events/audit', 'e2e/transports/websocket'],
  ),
  of(
    'sessions/revoke.ts',
    'revoking the sessions of a tenant ends those of all',
    [
      'const tenantId = input.revokeAcrossAllTenants === true ? undefined : input.tenantId;',
      'const tenantId = undefined;',
    ],
    ['sessions/by-handle', 'sessions/without-request', 'sessions/'],
  ),
  of(
    'sessions/revoke.ts',
    'ending the others ends the session that stays',
    ['const others = live.filter((handle) => handle !== sessionHandle);', 'const others = live;'],
    ['e2e/lifetimes/other-sessions', 'e2e/lifetimes/own-sessions'],
  ),
  of(
    'sessions/revoke.ts',
    'a session that has ended may end others',
    ['!mustExist ||\n', 'true || !mustExist ||\n'],
    ['e2e/lifetimes/other-sessions', 'e2e/lifetimes/own-sessions'],
  ),
  // the payload
  of(
    'sessions/payload.ts',
    'an override can lift the limits of a session',
    ['const payload = lifetimes.keepLimits(current ?? presented, given);', 'const payload = given;'],
    ['e2e/lifetimes/absolute', 'sessions/payload-writers'],
  ),
  of(
    'sessions/payload.ts',
    'proving who one is reports nothing',
    ["this.context.reports.note('session.reauthenticated', result.session, userContext);", ''],
    ['e2e/lifetimes/authentication', 'e2e/events/audit'],
  ),
  of(
    'sessions/payload.ts',
    'an older token is given what a newer proof allows',
    [
      'return lifetimes.isOlderProof(presented, session.userDataInJWT) ? { status, session } : result;',
      'void status; void session; return result;',
    ],
    ['e2e/lifetimes/authentication'],
  ),
  // responses
  of(
    'sessions/error-responder.ts',
    'a core that fails during a response ends in a 500',
    [
      'if (!isCoreTrouble(failure)) throw failure;',
      'if (!isCoreTrouble(failure) || (true as boolean)) throw failure;',
    ],
    ['e2e/store-failure', 'e2e/error-handlers'],
  ),
  of(
    'sessions/error-responder.ts',
    'a theft is revoked although a handler decides',
    [
      "if (sessionError?.type === 'TOKEN_THEFT_DETECTED' && !hasHandler) {",
      "if (sessionError?.type === 'TOKEN_THEFT_DETECTED') {",
    ],
    ['e2e/refresh-options', 'e2e/error-handlers'],
  ),
  of(
    'sessions/error-responder.ts',
    'a handler of the application keeps the tokens',
    ['if (clearsTokens === true) transport', 'if (clearsTokens === true && !hasHandler) transport'],
    ['e2e/error-handlers'],
  ),
  of(
    'sessions/error-responder.ts',
    'no Retry-After',
    ['if (retryAfterSec !== undefined) response', 'if (retryAfterSec === -1) response'],
    ['e2e/error-handlers'],
  ),
  // the edge
  of(
    'session.guard.ts',
    'a guard leaves the session of the guard before it',
    ['state.isGuarded = true;\n    state.session = undefined;', 'state.isGuarded = true;'],
    ['e2e/transports/composing'],
  ),
  of(
    'session.filter.ts',
    'errors of a second module are answered by the first',
    [
      'const responder = findRequestState(req)?.errorResponder ?? this.runtime.errorResponder;',
      'const responder = this.runtime.errorResponder; void findRequestState;',
    ],
    ['e2e/several-modules'],
  ),
  of(
    'rules/session-router.ts',
    'an API function that sent its own response gets a second one',
    ['if (response.isSent) return res;', ''],
    ['e2e/error-handlers'],
  ),
  of(
    'rules/session-router.ts',
    'a route that an override removed is there',
    ['this.names = runtime.routeNames();', 'this.names = Object.keys(SESSION_ROUTES) as SessionRouteName[];'],
    ['e2e/routes', 'sessions/replacing-defaults'],
  ),
  of(
    'rules/session-router.ts',
    'looser paths of Express reach our routes',
    ['this.isServed(name, req) ? handler(req, res, next) : next?.(),', 'handler(req, res, next),'],
    ['e2e/routes', 'e2e/request-targets'],
  ),
  of(
    'rules/session-router.ts',
    'looser paths of Fastify reach our routes',
    [
      'this.isServed(name, req) ? handler(req, res) : (res as { callNotFound(): unknown }).callNotFound();',
      'handler(req, res);',
    ],
    ['e2e/routes', 'e2e/request-targets'],
  ),
  // the engine
  of(
    'core/embedded/rotation.ts',
    'a refresh does not store the kind of key that signs',
    ['if (row.useStaticKey !== useStaticKey) await this.parts.store.update(key, {}, { useStaticKey });', ''],
    ['core/embedded/embedded-core.refresh', 'e2e/keys-and-versions', 'contract/embedded-core'],
  ),
  of(
    'core/embedded/rotation.ts',
    'a token of a changed payload outlives its session',
    ['expiryMs: Math.min(expiryMs, latestMs),', 'expiryMs,'],
    ['core/embedded/embedded-core.verify', 'core/embedded/refresh-rotation', 'e2e/lifetimes/idle'],
  ),
  of(
    'core/embedded/rotation.ts',
    'a repeated refresh within the grace period reports nothing',
    ["if (decision === 'REPEAT_CHILD') await this.emit('session.grace-hit', row, userContext);", ''],
    ['core/embedded/embedded-core.refresh', 'e2e/events/audit'],
  ),
  of(
    'core/embedded/rotation.ts',
    'a session that has expired is promoted',
    [
      'where: { refreshTokenHash2: fromHash2, minExpiresAtMs: nowMs },',
      'where: { refreshTokenHash2: fromHash2 },',
    ],
    [
      'core/embedded/embedded-core.refresh',
      'core/embedded/refresh-rotation',
      'core/embedded/embedded-core.verify',
      'contract/embedded-core',
    ],
  ),
  of(
    'core/embedded/rotation.ts',
    'a promotion by a refresh reports nothing',
    [
      "if (row !== undefined && isUpdated) await this.emit('session.promoted', row, userContext);",
      'void isUpdated;',
    ],
    ['core/embedded/embedded-core.refresh'],
  ),
  of(
    'core/embedded/rotation.ts',
    'a refresh that lost the race does not look again',
    ['row = promoted ?? (await this.parts.store.findSession(key));\n    }', 'row = promoted;\n    }'],
    ['core/embedded/embedded-core.refresh', 'contract/embedded-core'],
  ),
  of(
    'core/embedded/rotation-at-once.ts',
    'at once: a session that has expired is rotated',
    [
      'where: { refreshTokenHash2: refresh.presented.hash2, minExpiresAtMs: now },',
      'where: { refreshTokenHash2: refresh.presented.hash2 },',
    ],
    ['core/embedded/rotation-at-once'],
  ),
  of(
    'core/embedded/rotation-at-once.ts',
    'at once: a refresh that lost the race overwrites the other',
    [
      'const where = { refreshTokenHash2: row.refreshTokenHash2, minExpiresAtMs: now };',
      'const where = { minExpiresAtMs: now };',
    ],
    ['core/embedded/rotation-at-once', 'contract/embedded-core'],
  ),
  of(
    'core/embedded/rotation-at-once.ts',
    'at once: a refresh that lost the race does not look again',
    ['row = await store.findSession(refresh.key);', 'await store.findSession(refresh.key);'],
    ['core/embedded/rotation-at-once', 'contract/embedded-core'],
  ),
  of(
    'core/embedded/rotation-at-once.ts',
    'at once: a repeated refresh starts a new grace period',
    [
      ': { refreshTokenHash2: next.hash2, useStaticKey: refresh.useStaticKey };',
      ': { refreshTokenHash2: next.hash2, useStaticKey: refresh.useStaticKey, rotatedAtMs: now };',
    ],
    ['core/embedded/rotation-at-once'],
  ),
  of(
    'core/embedded/rotation-at-once.ts',
    'at once: reuse leaves the session alive',
    ["await this.parts.revocations.byHandles([handle], { reason: 'token-theft' }, userContext);", ''],
    ['core/embedded/rotation-at-once'],
  ),
  of(
    'core/embedded/rotation-at-once.ts',
    'at once: the limits of a session are not respected',
    ['unlessMentioned: NAMES_OF_LIMITS,', 'unlessMentioned: NAMES_OF_LIMITS.slice(2),'],
    ['core/embedded/rotation-at-once'],
  ),
  of(
    'core/embedded/rotation-at-once.ts',
    'at once: an expired session verifies until it is swept',
    ['if (row === undefined || row.expiresAtMs < this.parts.clock.now()) {', 'if (row === undefined) {'],
    ['core/embedded/rotation-at-once'],
  ),
  of(
    'core/embedded/rotation-at-once.ts',
    'at once: a token of a replaced branch verifies',
    ['if (!isOfCurrentLine(row, info))', 'if (false as boolean)'],
    ['core/embedded/rotation-at-once'],
  ),
  of(
    'core/embedded/rotation.ts',
    'a shorter access token gets the full life at its first use',
    ['? lifeMs : validityMs;', '? validityMs : validityMs;'],
    ['core/embedded/rotation-at-once'],
  ),
  of(
    'core/server/cdi-operations.ts',
    'instances wait to hear of a session that reuse has ended',
    ["if (result.status !== 'OK' && result.recentTokenReuseSubtype !== undefined) onRevoked();", ''],
    ['core/server/cdi-5-6'],
  ),
  of(
    'core/server/cdi-input.ts',
    'older callers choose the life of an access token',
    ["if (rotation !== 'at-once') return undefined;", ''],
    ['core/server/cdi-5-6', 'core/server/served-core'],
  ),
  of(
    'core/embedded/guarded-store.ts',
    'closing does not wait for calls under way',
    ['if (this.underWay > 0) await', 'if (this.underWay < 0) await'],
    ['core/embedded/embedded-core.close'],
  ),
  of(
    'core/embedded/guarded-store.ts',
    'a full store is taken for an outage',
    ["if (error instanceof CoreError) throw error; // the store's own, more precise error", ''],
    ['contract/memory-store', 'core/embedded/embedded-core.close'],
  ),
];

function of(file, name, [from, to], specs) {
  return { name, file: `lib/${file}`, from, to, specs };
}
