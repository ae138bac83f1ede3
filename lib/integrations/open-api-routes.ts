import type { SessionRouteName } from '../options/session-routes.js';

/** The names of the security schemes in a document. */
export const COOKIE_SCHEME = 'sessionCookie';
export const HEADER_SCHEME = 'sessionToken';

/** A session is needed: by cookie or by header. */
export const SESSION_NEEDED: readonly object[] = [{ [COOKIE_SCHEME]: [] }, { [HEADER_SCHEME]: [] }];
/** A session may be there. */
export const SESSION_OPTIONAL: readonly object[] = [{}, ...SESSION_NEEDED];

interface RouteDescription {
  readonly summary: string;
  readonly responses: Readonly<Record<string, string>>;
  /** None: the route needs no access token. */
  readonly needsSession?: boolean;
  /** The names of a JSON body, all of them texts. */
  readonly body?: readonly string[];
}

const NO_SESSION = 'There is no session, or it has ended';

/** The routes that applications and their clients call. Those that browsers and verifiers call by themselves are left out. */
export const DESCRIBED_ROUTES: Readonly<Partial<Record<SessionRouteName, RouteDescription>>> = {
  refresh: {
    summary: 'Exchange the refresh token for new tokens',
    responses: { 200: 'The new tokens are in cookies or headers', 401: NO_SESSION },
  },
  signOut: {
    summary: 'End the session of this client',
    responses: { 200: 'The session has ended, and its tokens are taken away' },
    needsSession: true,
  },
  jwks: {
    summary: 'The public keys that verify access tokens',
    responses: { 200: 'A JSON Web Key Set' },
  },
  openIdDiscovery: {
    summary: 'The discovery document of OpenID Connect, as far as sessions have one',
    responses: { 200: 'Issuer and address of the keys' },
  },
  listSessions: {
    summary: 'List the sessions of this user',
    responses: { 200: 'The sessions, the present one first', 401: NO_SESSION },
    needsSession: true,
  },
  revokeSession: {
    summary: 'End one session of this user',
    responses: {
      200: 'It has ended',
      401: NO_SESSION,
      403: 'The user has to sign in again first',
      404: 'There is no such session',
    },
    needsSession: true,
    body: ['sessionHandle'],
  },
  revokeOtherSessions: {
    summary: 'End all other sessions of this user',
    responses: { 200: 'How many have ended', 401: NO_SESSION, 403: 'The user has to sign in again first' },
    needsSession: true,
  },
};

/** Returns the operation of a route, in the form of OpenAPI 3. */
export function describeRoute(name: string, tag: string, route: RouteDescription): object {
  const properties = Object.fromEntries((route.body ?? []).map((each) => [each, { type: 'string' }]));
  const schema = { type: 'object', properties, required: route.body };
  return {
    operationId: `Session_${name}`,
    tags: [tag],
    summary: route.summary,
    security: route.needsSession === true ? SESSION_NEEDED : [],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema } } } }),
    responses: Object.fromEntries(
      Object.entries(route.responses).map(([status, description]) => [status, { description }]),
    ),
  };
}
