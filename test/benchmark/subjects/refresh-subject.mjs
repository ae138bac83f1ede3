/**
 * A server whose refreshes are measured. A file of a subject exports `serve` (see server-process.mjs) and these two, which
 * run in the process that makes the load.
 *
 * @typedef {object} RefreshSubject
 * @property {(client: import('./keep-alive-client.mjs').KeepAliveClient) => Promise<string>} login
 *   starts a session and returns what refreshes it
 * @property {(client: import('./keep-alive-client.mjs').KeepAliveClient, token: string) => Promise<string>} refresh
 *   exchanges it, and returns what refreshes the session next
 */

/** Throws unless the response to a refresh is as it should be. */
export function expectOk({ status, body }, token) {
  if (status > 201 || token === undefined) throw new Error(`A refresh returned ${status} ${body}`);
  return token;
}
