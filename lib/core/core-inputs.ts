import { checkArguments, inputObject, plainObject } from '../options/call-arguments.js';
import { callback, oneOf, text, trueOrFalse, wholeNumber } from '../options/option-checks.js';
import { option, required, type Check, type OptionTable } from '../options/option-table.js';

const strings: Check<readonly string[]> = (value) => {
  if (!Array.isArray(value) || !Array.from(value).every((each) => typeof each === 'string'))
    throw new Error('an array of strings is expected');
  return value as string[];
};

/** NaN and infinity, too: what a core makes of them is its own matter. */
const aNumber: Check<number> = (value) => {
  if (typeof value !== 'number') throw new Error('a number is expected');
  return value;
};

/** Sessions of one page. */
export const MAX_PAGE = 500;
/** Sessions that one step of a count looks at, so that each is short. */
export const MAX_COUNTED_AT_ONCE = 10_000;

const aString = text((given) => given);
const textRow = required(aString, 'a string is expected');
/** The range is the engine's to check, because a value outside is a bad input and no mistake of type. */
const validity = option(aNumber);
const flag = required(trueOrFalse, 'true or false is expected');
const JSON_OBJECT = 'an object with names and JSON values';
const json = required(plainObject(JSON_OBJECT), `${JSON_OBJECT} is expected`);
const stringsRow = required(strings, 'an array of strings is expected');
const userContext = option(plainObject('the user context, an object,'));

function inputRow(table: OptionTable) {
  return required(inputObject(table), `an object of ${Object.keys(table).join(', ')} is expected`);
}

const creation = inputRow({
  tenantId: textRow,
  recipeUserId: textRow,
  userDataInJWT: json,
  userDataInDatabase: json,
  useDynamicSigningKey: flag,
  enableAntiCsrf: flag,
  accessTokenValidityMs: validity,
});
const limit = inputRow({
  max: required(aNumber, 'a number is expected'),
  whenExceeded: required(oneOf('refuse', 'end-oldest'), 'refuse or end-oldest is expected'),
});
const refresh = inputRow({
  refreshToken: textRow,
  antiCsrfToken: option(aString),
  enableAntiCsrf: flag,
  useDynamicSigningKey: flag,
  accessTokenValidityMs: validity,
  rotation: option(oneOf('at-first-use', 'at-once')),
});
const change = {
  set: json,
  remove: stringsRow,
  add: option(plainObject(JSON_OBJECT)),
  onlyIf: option(plainObject(JSON_OBJECT)),
};
const regeneration = inputRow({
  accessToken: textRow,
  userDataInJWT: option(plainObject(JSON_OBJECT)),
  change: option(inputObject({ sessionHandle: textRow, ...change })),
});
const ofUser = inputRow({ userId: textRow, tenantId: option(aString), includeLinkedAccounts: flag });
const jwt = inputRow({
  payload: json,
  validity: required(aNumber, 'a number of seconds is expected'),
  useStaticSigningKey: flag,
  algorithm: textRow,
  jwksDomain: textRow,
});
const sessionHandle = textRow;
const reasons = { reason: option(aString), initiator: option(aString) };
const details = option(inputObject(reasons));
const bulk = inputRow({
  tenantId: option(aString),
  userIds: option(strings),
  createdBeforeMs: option(aNumber),
  ...reasons,
});

const position = {
  createdAtMs: required(aNumber, 'a number is expected'),
  tenantId: textRow,
  sessionHandle: textRow,
};
function searchRow(max: number) {
  return inputRow({
    tenantId: option(aString),
    userId: option(aString),
    createdSinceMs: option(aNumber),
    after: option(inputObject(position)),
    limit: required(wholeNumber(1, max), 'a number is expected'),
  });
}

/** The arguments of the calls of a core. `verifySession` is not among them, because requests wait for it. */
const CORE_CALLS: Readonly<Record<string, OptionTable>> = {
  createSession: { input: creation, userContext },
  createSessionWithinLimit: { input: creation, limit, userContext },
  refreshSession: { input: refresh, userContext },
  regenerateAccessToken: { input: regeneration, userContext },
  getSessionInformation: { sessionHandle, userContext },
  getSessionHandlesOfUser: { input: ofUser, userContext },
  revokeSessions: { sessionHandles: stringsRow, userContext, details },
  revokeSessionsOfUser: { input: ofUser, userContext, details },
  revokeInBulk: { input: bulk, userContext },
  searchSessions: { search: searchRow(MAX_PAGE), userContext },
  countSessions: { search: searchRow(MAX_COUNTED_AT_ONCE), userContext },
  updateSessionData: { sessionHandle, data: json, userContext },
  mergeSessionData: { sessionHandle, update: json, userContext },
  changeSessionData: {
    sessionHandle,
    change: required(callback(), 'a function is expected'),
    userContext,
  },
  updateAccessTokenPayload: { sessionHandle, payload: json, userContext },
  changeAccessTokenPayload: {
    sessionHandle,
    change: inputRow({ ...change, sessionHandle: option(aString) }),
    userContext,
  },
  getPrimaryUserId: { recipeUserId: textRow, userContext },
  createJwt: { input: jwt, userContext },
};

/**
 * Makes the methods of a core check their arguments, so that a mistake in a call is a `TypeError` that names it, and never the
 * response about a session that nobody meant. It is called in a static block of the class.
 */
export function checkCoreCalls({ prototype }: { readonly prototype: object }): void {
  for (const [name, parameters] of Object.entries(CORE_CALLS)) {
    const value = Reflect.get(prototype, name) as (...args: never[]) => Promise<unknown>;
    const descriptor = { value, configurable: true, writable: true };
    checkArguments(parameters)(prototype, name, descriptor);
    Object.defineProperty(prototype, name, descriptor);
  }
}
