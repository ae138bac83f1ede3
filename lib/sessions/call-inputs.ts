import { MAX_PAGE } from '../core/core-inputs.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import type { ConnectedSession } from '../events/session-event-hub.js';
import { isRequest, isResponse } from '../http/exchanges.js';
import { inputObject, optionsObject, plainObject } from '../options/call-arguments.js';
import {
  date,
  hasMethod,
  objectWith,
  oneOf,
  shortText,
  trueOrFalse,
  wholeNumber,
} from '../options/option-checks.js';
import { isOptionsObject, option, required, type Check } from '../options/option-table.js';
import { READ_AUDIT } from './audit.js';
import {
  anyText,
  PROVIDER_SIGN_IN,
  seconds,
  sessionHandle,
  sessionHandles,
  storedId,
  tenantId,
  timeMs,
  userId,
  userIds,
  validitySec,
} from './call-checks.js';

const claim = objectWith<SessionClaim<unknown>>(
  ['fetchValue', 'addToPayload_internal', 'removeFromPayloadByMerge_internal', 'getValueFromPayload'],
  'a claim (UserRoleClaim for example, and no validator)',
);

const claimValue: Check<unknown> = (value) => {
  const isLost =
    ['function', 'symbol', 'bigint'].includes(typeof value) ||
    (typeof value === 'number' && !Number.isFinite(value)) ||
    value instanceof Promise;
  if (isLost) throw new Error('a value that JSON can hold is expected');
  return value;
};

const claimValidators: Check<readonly SessionClaimValidator[]> = (value) => {
  const isList = Array.isArray(value) && Array.from(value).every((each) => hasMethod(each, 'validate'));
  if (!isList) throw new Error('an array of claim validators is expected');
  return value as SessionClaimValidator[];
};

const callback: Check<(...args: never[]) => unknown> = (value) => {
  if (typeof value !== 'function') throw new Error('a function is expected');
  return value as () => unknown;
};

const userContextObject: Check<object> = (value) => {
  if (!isOptionsObject(value)) throw new Error('an object is expected, the user context');
  return value;
};

const frameworkRequest: Check<unknown> = (value) => {
  if (isRequest(value)) return value;
  const advice = isResponse(value) ? 'this is a response, so req and res may be swapped' : REQUEST_ADVICE;
  throw new Error(`the request is expected, not one of Express, Fastify or node:http: ${advice}`);
};
const REQUEST_ADVICE = 'pass what Nest injects by @Req()';

const frameworkResponse: Check<unknown> = (value) => {
  if (isResponse(value)) return value;
  throw new Error(
    'the response is expected, of Express, Fastify or node:http: pass what Nest injects by @Res({ passthrough: true })',
  );
};

const jsonObject = plainObject('an object with names and JSON values');
const orNull =
  <T>(check: Check<T>): Check<T | null> =>
  (value, place) =>
    value === null ? null : check(value, place);

const HANDLE_REMEDY = 'the handle of a session is expected, as getHandle() returns it';
const handleRow = required(sessionHandle, HANDLE_REMEDY);
export const userContextRow = option(userContextObject);
const userIdRow = required(userId, 'the id of a user is expected');
const tenantIdRow = option(tenantId);
const claimRow = required(claim, 'a claim is expected');
const updateRow = required(jsonObject, 'an object with the names that change is expected');
export const contentRow = option(orNull(jsonObject));

export const EXCHANGE = {
  req: required(frameworkRequest, REQUEST_ADVICE),
  res: required(frameworkResponse, 'pass what Nest injects by @Res({ passthrough: true })'),
};

const DETAILS = { reason: option(shortText(256)), initiator: option(shortText(256)) };

const OF_A_USER = { tenantId: tenantIdRow, includeLinkedAccounts: option(trueOrFalse) };
const USER_SESSIONS = { userId: userIdRow, ...OF_A_USER, userContext: userContextRow };

const SEARCH = {
  tenantId: tenantIdRow,
  userId: option(userId),
  createdAfter: option(date),
  lastSeenAfter: option(date),
  userContext: userContextRow,
};

const validityRow = option(validitySec);

const NEW_SESSION = {
  userId: required(storedId, 'the id of the user who signs in is expected'),
  recipeUserId: option(storedId),
  tenantId: option(storedId),
  accessTokenPayload: contentRow,
  sessionDataInDatabase: contentRow,
  lifetime: option(jsonObject),
  authenticatedAtMs: option(timeMs),
  accessTokenValiditySec: validityRow,
  actor: option(inputObject({ sessionHandle: handleRow, claims: option(jsonObject) })),
  provider: option(inputObject(PROVIDER_SIGN_IN)),
  userContext: userContextRow,
};

const VERIFICATION = {
  antiCsrfCheck: option(trueOrFalse),
  sessionRequired: option(trueOrFalse),
  checkDatabase: option(trueOrFalse),
  overrideGlobalClaimValidators: option(callback),
};

const { antiCsrfCheck: _notOfSockets, ...ADMISSION } = VERIFICATION;

const byHandle = { sessionHandle: handleRow, userContext: userContextRow };
const byClaim = { sessionHandle: handleRow, claim: claimRow, userContext: userContextRow };
const byUser = { input: required(inputObject(USER_SESSIONS), 'an object with userId is expected') };
const onlyContext = { userContext: userContextRow };

/** The parameters of the functions of `SessionService`. */
export const SERVICE_CALLS = {
  createNewSession: {
    ...EXCHANGE,
    input: required(inputObject(NEW_SESSION), 'an object with userId is expected'),
  },
  createNewSessionWithoutRequestResponse: {
    input: required(
      inputObject({ ...NEW_SESSION, disableAntiCsrf: option(trueOrFalse) }),
      'an object with userId is expected',
    ),
  },
  getSession: {
    ...EXCHANGE,
    options: option(optionsObject<object>(VERIFICATION)),
    userContext: userContextRow,
  },
  getSessionWithoutRequestResponse: {
    input: required(
      inputObject({
        ...VERIFICATION,
        accessToken: option(anyText),
        antiCsrfToken: option(anyText),
        userContext: userContextRow,
      }),
      'an object with accessToken is expected',
    ),
  },
  refreshSession: {
    ...EXCHANGE,
    userContext: userContextRow,
    options: option(inputObject({ accessTokenValiditySec: validityRow })),
  },
  refreshSessionWithoutRequestResponse: {
    input: required(
      inputObject({
        refreshToken: required(anyText, 'a refresh token is expected'),
        antiCsrfToken: option(anyText),
        disableAntiCsrf: option(trueOrFalse),
        accessTokenValiditySec: validityRow,
        userContext: userContextRow,
      }),
      'an object with refreshToken is expected',
    ),
  },
  validateClaimsInJWTPayload: {
    input: required(
      inputObject({
        userId: userIdRow,
        recipeUserId: option(userId),
        jwtPayload: required(jsonObject, 'the payload of a JWT is expected'),
        userContext: userContextRow,
      }),
      'an object with userId and jwtPayload is expected',
    ),
    overrideGlobalClaimValidators: option(callback),
  },
  createJWT: {
    input: option(
      inputObject({
        payload: contentRow,
        validitySeconds: option(seconds),
        useStaticSigningKey: option(trueOrFalse),
        userContext: userContextRow,
      }),
    ),
  },
  getJWKS: onlyContext,
  getOpenIdDiscoveryConfiguration: onlyContext,
  revokeSession: { ...byHandle, details: option(inputObject(DETAILS)) },
  revokeMultipleSessions: {
    sessionHandles: required(sessionHandles, 'an array of session handles is expected'),
    userContext: userContextRow,
    details: option(inputObject(DETAILS)),
  },
  revokeAllSessionsForUser: {
    input: required(inputObject({ ...USER_SESSIONS, ...DETAILS }), 'an object with userId is expected'),
  },
  revokeSessions: {
    input: required(
      inputObject({
        tenantId: tenantIdRow,
        userIds: option(userIds),
        createdBefore: option(date),
        all: option(trueOrFalse),
        userContext: userContextRow,
        ...DETAILS,
      }),
      'an object is expected that says which sessions end: tenantId, userIds, createdBefore or all',
    ),
  },
  revokeAllOtherSessions: {
    input: required(
      inputObject({ sessionHandle: handleRow, ...USER_SESSIONS, ...DETAILS }),
      'an object with sessionHandle and userId is expected',
    ),
  },
  getAllSessionHandlesForUser: byUser,
  findSessions: {
    input: option(
      inputObject({ ...SEARCH, cursor: option(anyText), limit: option(wholeNumber(1, MAX_PAGE)) }),
    ),
  },
  countSessions: {
    input: option(inputObject({ ...SEARCH, upTo: option(wholeNumber(1, Number.MAX_SAFE_INTEGER)) })),
  },
  readAudit: { input: option(inputObject({ ...READ_AUDIT, userContext: userContextRow })) },
  getSessionInformation: byHandle,
  updateSessionDataInDatabase: {
    sessionHandle: handleRow,
    newSessionData: contentRow,
    userContext: userContextRow,
  },
  mergeSessionDataInDatabase: {
    sessionHandle: handleRow,
    sessionDataUpdate: updateRow,
    userContext: userContextRow,
  },
  mergeIntoAccessTokenPayload: {
    sessionHandle: handleRow,
    accessTokenPayloadUpdate: updateRow,
    userContext: userContextRow,
  },
  fetchAndSetClaim: byClaim,
  setClaimValue: {
    sessionHandle: handleRow,
    claim: claimRow,
    value: required(claimValue, 'a value is expected; removeClaim removes it'),
    userContext: userContextRow,
  },
  getClaimValue: byClaim,
  removeClaim: byClaim,
  validateClaimsForSessionHandle: {
    sessionHandle: handleRow,
    overrideGlobalClaimValidators: option(callback),
    userContext: userContextRow,
  },
};

/** The parameters of the functions of `SessionContainer` that are not those of the service without the handle. */
export const CONTAINER_CALLS = {
  withContext: onlyContext,
  revokeSession: { ...onlyContext, details: option(inputObject(DETAILS)) },
  revokeAllOtherSessions: {
    input: option(inputObject({ ...OF_A_USER, ...DETAILS })),
    userContext: userContextRow,
  },
  updateSessionDataInDatabase: withoutHandle(SERVICE_CALLS.updateSessionDataInDatabase),
  mergeSessionDataInDatabase: withoutHandle(SERVICE_CALLS.mergeSessionDataInDatabase),
  mergeIntoAccessTokenPayload: withoutHandle(SERVICE_CALLS.mergeIntoAccessTokenPayload),
  assertClaims: {
    claimValidators: required(claimValidators, 'an array of claim validators is expected'),
    userContext: userContextRow,
  },
  withClaim: withoutHandle(byClaim),
  setClaimValue: withoutHandle(SERVICE_CALLS.setClaimValue),
  attachToRequestResponse: {
    input: required(
      inputObject({
        ...EXCHANGE,
        transferMethod: required(oneOf('cookie', 'header'), "'cookie' or 'header' is expected"),
      }),
      'an object with req, res and transferMethod is expected',
    ),
    userContext: userContextRow,
  },
};

const session = objectWith<ConnectedSession>(
  ['getHandle', 'getUserId', 'getRecipeUserId'],
  'a session (SessionContainer)',
);

const gatewayClient = required(
  plainOrClass('the client of a gateway'),
  'the client of the gateway is expected',
);

/** The parameters of `SessionSockets.admit` and `renew`, and of `SessionStreams.untilSessionEnds`. */
export const CONNECTION_CALLS = {
  admit: {
    client: gatewayClient,
    request: option(upgradeRequest),
    options: option(optionsObject(ADMISSION)),
  },
  renew: { client: gatewayClient, accessToken: option((value) => value) }, // the client's words: judged as a token
  untilSessionEnds: { session: required(session, 'a session is expected') },
};

function plainOrClass(expected: string): Check<object> {
  return (value) => {
    if (!isOptionsObject(value)) throw new Error(`${expected} is expected`);
    return value;
  };
}

function upgradeRequest(value: unknown): object {
  if (isOptionsObject(value) && isOptionsObject(value['headers'])) return value;
  throw new Error(
    'the upgrade request is expected, the second argument of handleConnection; options come third',
  );
}

function withoutHandle<Table extends { sessionHandle: unknown }>({
  sessionHandle: _handle,
  ...rest
}: Table): Omit<Table, 'sessionHandle'> {
  return rest;
}
