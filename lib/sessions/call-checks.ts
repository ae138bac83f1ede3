import { text } from '../options/option-checks.js';
import { option, required, type Check } from '../options/option-table.js';

/** Longest user id of a core: what is longer belongs to no session. */
const MAX_USER_ID_LENGTH = 128;
/** The handle of each kind of core. Tokens have dots, or begin as the base64 text of JSON does. */
const SESSION_HANDLE = /^(?!eyJ)[^\s.=+/%]{1,255}$/;

export const anyText = text((given) => given);

export const userId: Check<string> = (value) => {
  if (typeof value !== 'string' || value === '' || value.length > MAX_USER_ID_LENGTH) {
    throw new Error(`the id of a user is expected, a string of 1 to ${MAX_USER_ID_LENGTH} characters`);
  }
  return value;
};

/** The core says which ids it stores, and refuses the others. */
export const storedId: Check<string> = (value) => {
  if (typeof value !== 'string') throw new Error('the id is expected, a string');
  return value;
};

export const tenantId: Check<string> = (value) => {
  if (typeof value !== 'string' || value === '') throw new Error('the id of a tenant is expected, a string');
  return value;
};

export const sessionHandle: Check<string> = (value) => {
  if (typeof value !== 'string' || !SESSION_HANDLE.test(value)) {
    throw new Error('the handle of a session is expected, as getHandle() returns it, and no token');
  }
  return value;
};

export const sessionHandles: Check<readonly string[]> = (value) => {
  const isList = Array.isArray(value) && Array.from(value).every(isSessionHandle); // Array.from fills holes
  if (!isList) throw new Error('an array of session handles is expected, and no tokens');
  return value as string[];
};

function isSessionHandle(value: unknown): boolean {
  return typeof value === 'string' && SESSION_HANDLE.test(value);
}

export const seconds: Check<number> = (value) => {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new Error('a number of seconds is expected');
  return value;
};

const VALIDITY_EXPECTED = 'a whole number of seconds above 0 is expected';

/** The life of one access token, in whole seconds as the token states it. The core knows the longest. */
export const validitySec: Check<number> = (value) => {
  if (!isValidity(value)) throw new Error(VALIDITY_EXPECTED);
  return value;
};

/** Returns a validity as the core takes it. @throws {TypeError} it is none, as an override may give one */
export function validityMs(call: string, seconds: number | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  if (!isValidity(seconds)) throw new TypeError(`${call}: accessTokenValiditySec: ${VALIDITY_EXPECTED}`);
  return seconds * 1000;
}

function isValidity(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

export const userIds: Check<readonly string[]> = (value, place) => {
  if (!Array.isArray(value)) throw new Error('an array of user ids is expected');
  return Array.from(value, (each) => userId(each, place));
};

export const timeMs: Check<number> = (value) => {
  if (typeof value !== 'number') throw new Error('milliseconds since the epoch are expected');
  return value;
};

const providerText: Check<string> = (value) => {
  if (typeof value === 'string' && value !== '') return value;
  throw new Error('a text of the ID token is expected');
};

/** The members of `provider` of a sign-in. */
export const PROVIDER_SIGN_IN = {
  issuer: required(providerText, 'the iss of the ID token is expected'),
  sub: required(providerText, 'the sub of the ID token is expected'),
  sid: option(providerText),
};
