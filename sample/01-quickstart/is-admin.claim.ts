import { BooleanClaim } from 'nest-sessions';
import { admins } from './users.js';

/** Whether the user is an admin. Fetched at sign-in, then carried by the access token: checking it costs no look-up. */
export const IsAdminClaim = new BooleanClaim({
  key: 'admin',
  fetchValue: (userId) => admins.has(userId),
});
