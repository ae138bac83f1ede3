// The script of a tab of the shop: the browser client as npm brings it, and a few names for the tests to call.
import {
  attemptRefreshingSession,
  doesSessionExist,
  getAccessTokenPayloadSecurely,
  init,
  signOut,
} from 'supertokens-website';

const { api, mode, lock } = Object.fromEntries(new URLSearchParams(location.search));
/** As in a browser where the client's lock between tabs does not work. */
const noLock = { lockFactory: async () => ({ acquireLock: async () => true, releaseLock: async () => {} }) };
const events = [];

init({
  apiDomain: api,
  apiBasePath: '/auth',
  tokenTransferMethod: mode,
  ...(lock === 'off' && noLock),
  onHandleEvent: ({ action }) => events.push(action),
});

async function call(path, method = 'GET', body = null) {
  const response = await fetch(api + path, {
    method,
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  return { status: response.status, body: await response.json() };
}

let cameBackFromCache = false;
addEventListener('pageshow', ({ persisted }) => (cameBackFromCache = persisted));

window.tab = {
  call,
  events: () => events,
  exists: doesSessionExist,
  isFromCache: () => cameBackFromCache,
  payload: getAccessTokenPayloadSecurely,
  refresh: attemptRefreshingSession,
  signOut,
};
