import type { CreateNewSessionInput } from 'nest-sessions';
import type { Handlers } from '../../support/demo.controller.js';
import type { SessionClient } from '../../support/session-client.js';

export const MINUTE_SEC = 60;
export const HOUR_SEC = 60 * MINUTE_SEC;
export const DAY_SEC = 24 * HOUR_SEC;

/** Handlers of the applications in this folder: signing in with any input, and proving again who one is. */
export const LIFETIME_HANDLERS: Handlers = {
  open: {
    'sign-in': async ({ sessions, req, res, body }) => {
      const session = await sessions.createNewSession(req, res, body as CreateNewSessionInput);
      return { sessionHandle: session.getHandle() };
    },
  },
  guarded: {
    'step-up': async (session, { body }) => {
      if ((body as { password?: unknown }).password !== 'correct') throw new Error('wrong password');
      await session.recordAuthentication();
    },
    merge: async (session, { body }) => session.mergeIntoAccessTokenPayload(body as object),
  },
};

/** Signs in with any input of `createNewSession`. @returns the session's handle */
export async function signIn(client: SessionClient, input: CreateNewSessionInput): Promise<string> {
  const response = await client.post('/open/sign-in', input);
  if (response.status !== 200)
    throw new Error(`The sign-in responded with ${response.status}: ${response.text}`);
  return (response.body as { sessionHandle: string }).sessionHandle;
}

/** Acts as a browser client at a 401: refreshes and tries again. @returns the status in the end */
export async function use(client: SessionClient, path = '/me'): Promise<number> {
  const first = await client.get(path);
  if (first.status !== 401) return first.status;
  const refreshed = await client.refresh();
  return refreshed.status === 200 ? (await client.get(path)).status : refreshed.status;
}
