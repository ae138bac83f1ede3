import { inputObject } from '../options/call-arguments.js';
import { isOptionsObject, option, required, type Check } from '../options/option-table.js';
import { oneOf, trueOrFalse } from '../options/option-checks.js';
import { anyText, sessionHandle, userId, validitySec } from './call-checks.js';
import { contentRow, EXCHANGE, userContextRow } from './call-inputs.js';

const claimNames: Check<readonly (string | { readonly key: string })[]> = (value) => {
  const isName = (each: unknown): boolean =>
    typeof each === 'string' || (isOptionsObject(each) && typeof each['key'] === 'string');
  if (Array.isArray(value) && Array.from(value).every(isName)) return value as string[];
  throw new Error('an array of claims, or of names of the payload, is expected');
};

const audience: Check<string> = (value) => {
  if (typeof value === 'string' && value.length > 0 && value.length <= 256) return value;
  throw new Error('the client that the token is for is expected, a string of 1 to 256 characters');
};

const audienceRow = required(audience, 'the client that the token is for is expected');
const REDEMPTION = {
  token: required(anyText, 'the token that the client sent is expected'),
  audience: audienceRow,
  userContext: userContextRow,
};
const REDEMPTION_EXPECTED = 'an object with token and audience is expected';

/** The parameters of the functions that make sessions from others. */
export const DELEGATION_CALLS = {
  createChildSession: {
    input: required(
      inputObject({
        parentSessionHandle: required(sessionHandle, 'the handle of the parent is expected'),
        actorId: option(userId),
        claims: option(claimNames),
        accessTokenPayload: contentRow,
        sessionDataInDatabase: contentRow,
        expiresInSec: option(validitySec),
        accessTokenValiditySec: option(validitySec),
        userContext: userContextRow,
      }),
      'an object with parentSessionHandle is expected',
    ),
  },
  createHandOverToken: {
    input: required(
      inputObject({
        sessionHandle: required(sessionHandle, 'the handle of the session is expected'),
        audience: audienceRow,
        as: option(oneOf('child', 'sibling')),
        userContext: userContextRow,
      }),
      'an object with sessionHandle and audience is expected',
    ),
  },
  redeemHandOverToken: { ...EXCHANGE, input: required(inputObject(REDEMPTION), REDEMPTION_EXPECTED) },
  redeemHandOverTokenWithoutRequestResponse: {
    input: required(
      inputObject({ ...REDEMPTION, disableAntiCsrf: option(trueOrFalse) }),
      REDEMPTION_EXPECTED,
    ),
  },
};
