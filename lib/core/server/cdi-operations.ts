import type { JsonObject } from '../../util/json.js';
import type { CoreClient } from '../core-client.js';
import {
  createdSession,
  jsonAnswer,
  primaryUser,
  publishedKeys,
  refreshedSession,
  sessionInformation,
  unknownSession,
  unknownUser,
  updatedSession,
  verifiedSession,
  type CdiAnswer,
} from './cdi-answers.js';
import {
  createJwtInput,
  createSessionInput,
  listSessionsInput,
  refreshSessionInput,
  regenerateInput,
  removeInput,
  requiredParameter,
  updateInput,
  verifySessionInput,
} from './cdi-input.js';
import type { CdiOperation } from './cdi-router.js';

/** A call that has passed all checks but that of its own input. */
export interface CdiCall {
  readonly core: CoreClient;
  /** As in the path; undefined when it names none. */
  readonly tenantId: string | undefined;
  readonly query: URLSearchParams;
  /** Reads the body when it is wanted, once. */
  body(): Promise<JsonObject>;
}

type Run = (call: CdiCall) => Promise<CdiAnswer>;

/**
 * Each operation: check the input, ask the core, word the answer. `hello` and `listVersions` are answered by the server
 * itself.
 *
 * @see docs/protocol/core.md A6
 */
export const CDI_OPERATIONS: Readonly<Record<Exclude<CdiOperation, 'hello' | 'listVersions'>, Run>> = {
  getJwks: async ({ core }) => publishedKeys(await core.getJwks({})),
  getJwksWithStatus: async ({ core }) => {
    const { keys } = await core.getJwks({});
    return jsonAnswer({ status: 'OK', keys });
  },
  // The SDK asks on every creation of a session. No user is known here, only what account a login belongs to.
  getUserById: async ({ core, query }) => {
    const userId = requiredParameter(query, 'userId');
    const primaryUserId = await core.getPrimaryUserId(userId, {});
    return primaryUserId === userId ? unknownUser() : primaryUser(primaryUserId);
  },
  createSession: async ({ core, tenantId, body }) =>
    createdSession(await core.createSession(createSessionInput(await body(), tenantId), {})),
  getSession: async (call) => sessionInformation(await findSession(call)),
  verifySession: async ({ core, body }) =>
    verifiedSession(await core.verifySession(verifySessionInput(await body()), {})),
  refreshSession: async ({ core, body }) =>
    refreshedSession(await core.refreshSession(refreshSessionInput(await body()), {})),
  regenerateSession: async ({ core, body }) =>
    verifiedSession(await core.regenerateAccessToken(regenerateInput(await body()), {})),
  removeSessions: async ({ core, tenantId, body }) => {
    const input = removeInput(await body(), tenantId);
    const sessionHandlesRevoked =
      input.by === 'handles'
        ? await core.revokeSessions(input.sessionHandles, {})
        : await core.revokeSessionsOfUser(input.sessions, {});
    return jsonAnswer({ status: 'OK', sessionHandlesRevoked });
  },
  listSessionsOfUser: async ({ core, tenantId, query }) => {
    const sessionHandles = await core.getSessionHandlesOfUser(listSessionsInput(query, tenantId), {});
    return jsonAnswer({ status: 'OK', sessionHandles });
  },
  getSessionData: async (call) => {
    const session = await findSession(call);
    if (session === undefined) return unknownSession();
    return jsonAnswer({ status: 'OK', userDataInDatabase: session.userDataInDatabase });
  },
  updateSessionData: async ({ core, body }) => {
    const { sessionHandle, data } = updateInput(await body(), 'userDataInDatabase');
    return updatedSession(await core.updateSessionData(sessionHandle, data, {}));
  },
  getAccessTokenPayload: async (call) => {
    const session = await findSession(call);
    if (session === undefined) return unknownSession();
    return jsonAnswer({ status: 'OK', userDataInJWT: session.userDataInJWT });
  },
  updateAccessTokenPayload: async ({ core, body }) => {
    const { sessionHandle, data } = updateInput(await body(), 'userDataInJWT');
    return updatedSession(await core.updateAccessTokenPayload(sessionHandle, data, {}));
  },
  createJwt: async ({ core, body }) => jsonAnswer(await core.createJwt(createJwtInput(await body()), {})),
};

async function findSession({ core, query }: CdiCall): ReturnType<CoreClient['getSessionInformation']> {
  return core.getSessionInformation(requiredParameter(query, 'sessionHandle'), {});
}
