import { expect, it } from '@jest/globals';
import { endedByUser } from './revoke.js';

const USER = { userId: 'ada', accessTokenPayload: {} };

it.each([
  [USER, undefined, { reason: 'sign-out', initiator: 'ada' }],
  [
    { ...USER, accessTokenPayload: { act: { sub: 'support' } } },
    {},
    { reason: 'ended-by-actor', initiator: 'support' },
  ],
  [USER, { reason: 'password changed' }, { reason: 'password changed' }],
  [USER, { initiator: 'policy' }, { initiator: 'policy' }],
])('%j with the details %j ends as %j', (session, given, told) => {
  expect(endedByUser('sign-out', session, given)).toEqual(told);
});
