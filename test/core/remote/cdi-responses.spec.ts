import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { fcRuns, fcTimeoutMs } from '../../fixtures/fc-runs.js';
import { GOOD_RESPONSES } from '../../support/fake-core.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../lib/util/json.js';
import { parsePublicKeys } from '../../../lib/tokens/published-keys.js';
import { UnexpectedResponse } from '../../../lib/util/response-members.js';
import * as responses from '../../../lib/core/remote/cdi-responses.js';

const RUNS = 150;

const TEXT = 'text';
const TIME = 'time';
const OBJECT = 'object';
type Shape = typeof TEXT | typeof TIME | typeof OBJECT | { [name: string]: Shape } | { listOf: typeof TEXT };

const SESSION: Shape = {
  handle: TEXT,
  userId: TEXT,
  recipeUserId: TEXT,
  tenantId: TEXT,
  userDataInJWT: OBJECT,
};
const TOKEN: Shape = { token: TEXT, expiry: TIME, createdTime: TIME };
const PAIR: Shape = { session: SESSION, accessToken: TOKEN, refreshToken: TOKEN };

/** Each reading function, a response that it understands, and what must be in its result then. */
const READERS: {
  name: string;
  read: (response: JsonObject) => unknown;
  good: JsonObject;
  shape: Shape;
}[] = [
  { name: 'created', read: responses.parseCreated, good: GOOD_RESPONSES.created, shape: PAIR },
  { name: 'refreshed', read: responses.parseRefreshed, good: GOOD_RESPONSES.refreshed, shape: PAIR },
  {
    name: 'verified',
    read: responses.parseVerified,
    good: { ...GOOD_RESPONSES.verified, accessToken: GOOD_RESPONSES.created.accessToken },
    shape: { session: SESSION },
  },
  {
    name: 'regenerated',
    read: responses.parseRegenerated,
    good: GOOD_RESPONSES.regenerated,
    shape: { session: SESSION },
  },
  {
    name: 'session information',
    read: responses.parseSessionInformation,
    good: GOOD_RESPONSES.information,
    shape: {
      sessionHandle: TEXT,
      userId: TEXT,
      recipeUserId: TEXT,
      tenantId: TEXT,
      userDataInDatabase: OBJECT,
      userDataInJWT: OBJECT,
      expiry: TIME,
      timeCreated: TIME,
    },
  },
  {
    name: 'handles',
    read: (response) => ({ list: responses.parseSessionHandles(response) }),
    good: GOOD_RESPONSES.handles,
    shape: { list: { listOf: TEXT } },
  },
  {
    name: 'removed',
    read: (response) => ({ list: responses.parseRevokedHandles(response) }),
    good: GOOD_RESPONSES.removed,
    shape: { list: { listOf: TEXT } },
  },
  {
    name: 'primary user',
    read: (response) => ({ id: responses.parsePrimaryUserId(response) }),
    good: { status: 'OK', user: { id: 'primary-1' } },
    shape: { id: TEXT },
  },
  { name: 'JWT', read: responses.parseCreatedJwt, good: GOOD_RESPONSES.jwt, shape: { jwt: TEXT } },
  {
    name: 'versions',
    read: (response) => ({ list: responses.parseApiVersions(response) }),
    good: GOOD_RESPONSES.versions,
    shape: { list: { listOf: TEXT } },
  },
  {
    name: 'roles',
    read: (response) => ({ list: responses.parseRoles(response) }),
    good: GOOD_RESPONSES.roles,
    shape: { list: { listOf: TEXT } },
  },
];

function fits(value: unknown, shape: Shape): boolean {
  if (shape === TEXT) return typeof value === 'string';
  if (shape === TIME) return Number.isSafeInteger(value);
  if (shape === OBJECT) return isJsonObject(value);
  if ('listOf' in shape) return Array.isArray(value) && value.every((item) => typeof item === 'string');
  return (
    isJsonObject(value) &&
    Object.entries(shape as Record<string, Shape>).every(([name, inner]) => fits(value[name], inner))
  );
}

/** Every place in a JSON value, as a list of names and indexes. */
function placesIn(value: JsonValue, place: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [place];
  return [place, ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...place, name]))];
}

/** A copy with another value, or nothing, at that place. */
function mutated(
  value: JsonValue,
  [name, ...rest]: string[],
  replacement: JsonValue | undefined,
): JsonValue | undefined {
  if (name === undefined || typeof value !== 'object' || value === null) return replacement;
  const copy = structuredClone(value) as Record<string, JsonValue>;
  const inner = mutated(copy[name] ?? null, rest, replacement);
  if (inner === undefined) delete copy[name];
  else copy[name] = inner;
  return copy;
}

function outcomeOf(read: () => unknown): { value?: unknown; error?: unknown } {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
}

describe('reading the responses of a core (S099)', () => {
  it.each(READERS)('understands $name', ({ read, good, shape }) => {
    expect(fits(read(good), shape)).toBe(true);
  });

  it.each(READERS)(
    'makes a complete value or an error of a mutated response: $name',
    ({ read, good, shape }) => {
      const mutation = fc.record({
        place: fc.constantFrom(...placesIn(good).filter((place) => place.length > 0)),
        replacement: fc.option(fc.jsonValue() as fc.Arbitrary<JsonValue>, { nil: undefined }),
      });
      fc.assert(
        fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
          const response = mutations.reduce<JsonValue>(
            (value, { place, replacement }) => mutated(value, place, replacement) ?? {},
            good,
          );
          const { value, error } = outcomeOf(() => read(response as JsonObject));
          expect(error instanceof UnexpectedResponse || fits(value, shape)).toBe(true);
        }),
        { numRuns: fcRuns(RUNS) },
      );
    },
    fcTimeoutMs(RUNS),
  );

  it.each(READERS.filter(({ name }) => name !== 'versions'))(
    'takes no status that it does not know for success: $name',
    ({ read, good }) => {
      for (const status of ['ok', 'FINE', '', null, true, 200, {}]) {
        expect(() => read({ ...good, status })).toThrow(UnexpectedResponse);
      }
      const { status: _status, ...without } = good;
      expect(() => read(without)).toThrow(UnexpectedResponse);
    },
  );

  it('repeats nothing of a response but names of fields', () => {
    const secret = 'secret-token';
    for (const { read, good } of READERS) {
      for (const place of placesIn(good)) {
        const response = mutated(good, place, [secret]);
        const { error } = outcomeOf(() => read(isJsonObject(response) ? response : { status: secret }));
        expect(String(error)).not.toContain(secret);
      }
    }
  });

  it('names refusals as the values they are', () => {
    const refusal = { status: 'UNAUTHORISED', message: 'Session does not exist.' };
    expect(responses.parseVerified(refusal)).toEqual(refusal);
    expect(responses.parseVerified({ ...refusal, status: 'TRY_REFRESH_TOKEN' })).toEqual({
      ...refusal,
      status: 'TRY_REFRESH_TOKEN',
    });
    expect(responses.parseRefreshed(refusal)).toEqual(refusal);
    expect(responses.parseRegenerated(refusal)).toEqual(refusal);
    expect(responses.parseSessionInformation(refusal)).toBeUndefined();
    expect(responses.parseUpdated(refusal)).toBe(false);
    expect(responses.parseUpdated({ status: 'OK' })).toBe(true);
    expect(responses.parsePrimaryUserId({ status: 'UNKNOWN_USER_ID_ERROR' })).toBeUndefined();
    expect(responses.parseCreatedJwt({ status: 'UNSUPPORTED_ALGORITHM_ERROR' })).toEqual({
      status: 'UNSUPPORTED_ALGORITHM_ERROR',
    });
  });

  it('keeps the response of theft whole, and does without the field that the specification forgot', () => {
    const session = { handle: 'h', userId: 'u', recipeUserId: 'r' };
    const theft = { status: 'TOKEN_THEFT_DETECTED', session };
    expect(responses.parseRefreshed(theft)).toEqual(theft);
    expect(responses.parseRefreshed({ ...theft, session: { handle: 'h', userId: 'u' } })).toMatchObject({
      session: { recipeUserId: 'u' },
    });
    expect(() => responses.parseRefreshed({ status: 'TOKEN_THEFT_DETECTED' })).toThrow(UnexpectedResponse);
  });

  it('takes public members of usable keys only', () => {
    const keys = [
      { kty: 'RSA', kid: 'd-1', n: 'n', e: 'AQAB', alg: 'RS256', use: 'sig', d: 'private', x5c: ['…'] },
      { kty: 'oct', kid: 'symmetric', k: 'secret' },
      { kty: 'RSA', n: 'without a name', e: 'AQAB' },
    ];
    expect(parsePublicKeys({ keys })).toEqual([
      { kty: 'RSA', kid: 'd-1', n: 'n', e: 'AQAB', alg: 'RS256', use: 'sig' },
    ]);
    expect(() => parsePublicKeys({ keys: keys.slice(1) })).toThrow(UnexpectedResponse);
    expect(() => parsePublicKeys({ keys: ['key'] })).toThrow(UnexpectedResponse);
  });

  it.each([
    ['max-age=3539, must-revalidate', 3539],
    ['public,max-age=5', 5],
    ['s-max-age=7', 60],
    ['no-cache', 60],
    ['max-age=soon', 60],
    [undefined, 60],
  ])('reads how long keys hold from Cache-Control %j', (header, seconds) => {
    expect(responses.parseJwks(GOOD_RESPONSES.keys, header).validityInSeconds).toBe(seconds);
  });
});
