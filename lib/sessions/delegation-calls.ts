import { inputObject } from '../options/call-arguments.js';
import { isOptionsObject, option, required, type Check } from '../options/option-table.js';
import { sessionHandle, userId, validitySec } from './call-checks.js';
import { contentRow, userContextRow } from './call-inputs.js';

const claimNames: Check<readonly (string | { readonly key: string })[]> = (value) => {
  const isName = (each: unknown): boolean =>
    typeof each === 'string' || (isOptionsObject(each) && typeof each['key'] === 'string');
  if (Array.isArray(value) && Array.from(value).every(isName)) return value as string[];
  throw new Error('an array of claims, or of names of the payload, is expected');
};

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
};
