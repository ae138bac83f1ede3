/**
 * The e2e suites of which every application brings a store or a core of its own. So the choice of SQLite, PostgreSQL or Redis
 * does not reach them, and these runs leave them out; a remote core does reach them. `switchedCore` fails where one of them
 * asks for the store of the variant.
 *
 * @type {readonly string[]}
 */
export const OWN_STORES = [
  'anonymous',
  'claims',
  'cold-start-in-outage',
  'cors',
  'login-with-foreign-cookies',
  'lost-response',
  'older-cookies',
  'postgres-error-details',
  'provider-logout',
  'shared-questions',
  'signing-algorithm',
  'startup',
  'store-failure',
].map((name) => `${name}.e2e-spec.ts`);
