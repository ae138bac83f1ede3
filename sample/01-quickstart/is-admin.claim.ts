import { BooleanClaim } from 'nest-sessions';
import { admins } from './users.js';

/** True for admins. Fetched at sign-in and stored in the access token, so that a check needs no look-up. */
export const IsAdminClaim = new BooleanClaim({
  key: 'admin',
  fetchValue: (userId) => admins.has(userId),
});
