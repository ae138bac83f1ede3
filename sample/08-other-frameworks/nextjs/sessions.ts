import { createSessionVerifier, sessionErrorResponse } from 'nest-sessions/verify';

/** The API that users sign in to. */
export const apiDomain = process.env.API_DOMAIN ?? 'http://127.0.0.1:3000';

export const sessions = createSessionVerifier({ apiDomain });

/** Responds to refusals as the browser client expects it. */
export async function respondToRefusals(handle: () => Promise<Response>): Promise<Response> {
  try {
    return await handle();
  } catch (error) {
    const response = sessionErrorResponse(error);
    if (response === undefined) throw error;
    return response;
  }
}
