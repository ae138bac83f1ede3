import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../util/json.js';
import {
  createJwtInput,
  createSessionInput,
  listSessionsInput,
  parseBody,
  removeInput,
  CdiRefusal,
} from './cdi-input.js';

function refusalOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof CdiRefusal) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const PUBLIC_ONLY = '403 Only public tenantId can call this app specific API';
const ONE_OF_BOTH = '400 Invalid JSON input - use one of userId or sessionHandles array';

describe('the input of a call', () => {
  it('fills in what a Core fills in', () => {
    const body = { userId: 'u', enableAntiCsrf: true, userDataInJWT: { a: null }, userDataInDatabase: {} };
    expect(createSessionInput(body, undefined, 'at-first-use')).toEqual({
      tenantId: 'public',
      recipeUserId: 'u',
      enableAntiCsrf: true,
      userDataInJWT: { a: null },
      userDataInDatabase: {},
      useDynamicSigningKey: true,
    });
    expect(createSessionInput({ ...body, useDynamicSigningKey: false }, 't1', 'at-once')).toMatchObject({
      tenantId: 't1',
      useDynamicSigningKey: false,
    });
  });

  it('keeps a name like __proto__ as an ordinary claim', () => {
    const bytes = Buffer.from('{"userDataInJWT":{"__proto__":{"admin":true}}}');
    const payload = parseBody(bytes)['userDataInJWT'] as JsonObject;
    expect(Object.keys(payload)).toEqual(['__proto__']);
    expect(payload['admin']).toBeUndefined();
  });

  it.each([500, 501])('takes values that are nested up to 500 deep: %d', (levels) => {
    const bytes = Buffer.from(`{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`);
    const expected = levels > 500 ? '400 Invalid Json Input' : 'accepted';
    expect(refusalOf(() => parseBody(bytes))).toBe(expected);
  });

  it.each([
    [{ sessionHandles: ['a'] }, 't1', { by: 'handles', sessionHandles: ['a'] }],
    [{ userId: '' }, undefined, { by: 'user', sessions: allOf('') }],
    [{ userId: 'u' }, 'public', { by: 'user', sessions: allOf('u') }],
    [
      { userId: 'u', revokeAcrossAllTenants: false, revokeSessionsForLinkedAccounts: false },
      't1',
      { by: 'user', sessions: { userId: 'u', tenantId: 't1', includeLinkedAccounts: false } },
    ],
  ])('of remove, %j in %s', (body, tenantId, input) => {
    expect(removeInput(body, tenantId)).toEqual(input);
  });

  it.each([
    [{}, undefined, ONE_OF_BOTH],
    [{ userId: 'u', sessionHandles: ['a'] }, undefined, ONE_OF_BOTH],
    [
      { userId: 'u', sessionHandles: null },
      undefined,
      "400 Field name 'sessionHandles' is invalid in JSON input",
    ],
    [{ sessionHandles: [null] }, undefined, "400 Field name 'sessionHandles' is invalid in JSON input"],
    [{ userId: 'u' }, 't1', PUBLIC_ONLY],
  ])('of remove is refused: %j in %s (C119 C123)', (body, tenantId, refusal) => {
    expect(refusalOf(() => removeInput(body, tenantId))).toBe(refusal);
  });

  it.each([
    ['userId=u', undefined, allOf('u')],
    ['userId=&userId=second', 'public', allOf('')],
    ['userId=a%2Bb+c&fetchAcrossAllTenants=True', undefined, allOf('a+b c')],
    [
      'userId=u&fetchAcrossAllTenants=1&fetchSessionsForAllLinkedAccounts=',
      't1',
      { userId: 'u', tenantId: 't1', includeLinkedAccounts: false },
    ],
  ])('of the list, %s in %s', (query, tenantId, input) => {
    expect(listSessionsInput(new URLSearchParams(query), tenantId)).toEqual(input);
  });

  it('of the list needs a user, and the public tenant for all tenants (C123 C126)', () => {
    const list = (query: string, tenantId?: string): string =>
      refusalOf(() => listSessionsInput(new URLSearchParams(query), tenantId));
    expect(list('')).toBe("400 Field name 'userId' is missing in GET request");
    expect(list('userId=u', 't1')).toBe(PUBLIC_ONLY);
  });

  it('of a JWT cuts fractions of a second off', () => {
    const body = { payload: {}, algorithm: 'RS256', jwksDomain: 'd', validity: 12.7 };
    expect(createJwtInput(body)).toMatchObject({ validity: 12, useStaticSigningKey: true });
  });
});

function allOf(userId: string): object {
  return { userId, tenantId: undefined, includeLinkedAccounts: true };
}
