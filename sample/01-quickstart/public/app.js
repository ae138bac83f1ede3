import { attemptRefreshingSession, doesSessionExist, init, signOut } from './supertokens-website.js';

const POLL_MS = 3000;
const $ = (id) => document.getElementById(id);

// The log sits below the browser client, so that it sees what the client hides: the 401, the refresh, the repetition.
const wire = window.fetch.bind(window);
const failedQuietly = new Set();

window.fetch = async (input, options = {}) => {
  const request = `${(options.method ?? 'get').toUpperCase()} ${new URL(input, location.href).pathname}`;
  try {
    const response = await wire(input, options);
    const isRepeated = failedQuietly.delete(request);
    if (options.isPoll && !response.ok) failedQuietly.add(request);
    if (!options.isPoll || !response.ok || isRepeated) logCall(request, response.status);
    return response;
  } catch (error) {
    logCall(request, 'no response');
    throw error;
  }
};

init({
  apiDomain: location.origin,
  apiBasePath: '/auth',
  onHandleEvent: ({ action }) => {
    logEvent(action);
    if (action !== 'REFRESH_SESSION') return;
    flashRing();
    poll();
  },
});

// Calls. `fetch` is the client's by now: it adds the anti-CSRF token, and refreshes when the access token has expired.

async function call(method, path, { body, isPoll = false } = {}) {
  const response = await fetch(path, {
    method,
    isPoll,
    cache: 'no-store',
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: response.status, ok: response.ok, body: await response.json() };
}

async function callAndShow(path) {
  const { status, ok, body } = await call('GET', path);
  if (status === 401) return showEnded();
  const line = element('p', { className: `status ${ok ? 'good' : 'bad'}`, textContent: `${status} ${path}` });
  const notes = (body.claimValidationErrors ?? []).map(({ id, reason }) =>
    element('p', { textContent: `The claim “${id}” failed: ${reason.message}.` }),
  );
  $('response').replaceChildren(line, ...notes, element('pre', { textContent: pretty(body), tabIndex: 0 }));
}

async function signInAs(userId) {
  await call('POST', '/demo/sign-in', { body: { userId } });
  hideEnded();
  copy = undefined;
  $('response').replaceChildren(
    element('p', { className: 'fine', textContent: 'The response appears here.' }),
  );
  await showMe();
}

async function changeRole() {
  const { status } = await call('POST', isAdmin() ? '/demo/step-down' : '/demo/become-admin');
  if (status === 401) return showEnded();
  await showMe();
}

async function revoke(sessionHandle) {
  await call('POST', `/demo/sessions/${sessionHandle}/revoke`);
  await showMe();
}

async function steal() {
  await attemptRefreshingSession(); // from here on the copied token is an old one
  const { ok, body } = await call('POST', '/demo/steal');
  if (ok) logCall('the thief: refresh with the copied token', body.status, body.status === 200);
  await showMe(); // the owner's next call: it finds that the session is gone
}

// The session on the page. Who-am-I calls queue up, so that an older response never overwrites a newer one.

let me; // undefined when signed out
let queue = Promise.resolve();
let runsOut;

function showMe({ isPoll = false } = {}) {
  const asked = me;
  // Thrown out while this one waited: whose session it was is no longer a question.
  const update = queue.then(() => (asked && !me ? undefined : updateMe(isPoll)));
  queue = update.catch(() => undefined);
  return update;
}

/** Looks whether the session still exists. Without a response it looks again later: the log tells. */
function poll() {
  if (me) showMe({ isPoll: true }).catch(() => undefined);
}

async function updateMe(isPoll) {
  const response = await call('GET', '/demo/me', { isPoll });
  if (response.status === 401) return showEnded();
  if (!response.ok) return;
  me = response.body;
  const sessions = await call('GET', '/demo/sessions', { isPoll });
  if (sessions.status === 401) return showEnded();
  render(sessions.body);
  if (copy) await useCopy();
  clearTimeout(runsOut);
  const { exp } = me.accessTokenPayload;
  if (exp * 1000 > Date.now()) runsOut = setTimeout(poll, exp * 1000 - Date.now() + 50);
}

function render(sessions) {
  setText($('name'), me.accessTokenPayload.name);
  $('handle').textContent = short(me.sessionHandle);
  const { name, admin, ...ownedByTheSession } = me.accessTokenPayload;
  setText($('payload'), pretty({ name, admin, ...ownedByTheSession }));
  setText($('data'), pretty(me.sessionDataInDatabase));
  $('role').textContent = isAdmin() ? 'Step down' : 'Become admin';
  renderSessions(sessions);
  if (isHttps) renderBinding(sessions);
  showSignedIn(true);
  renderRing();
}

let rendered;
function renderSessions(sessions) {
  // Rebuilding the list takes the focus from its buttons: only when it has changed.
  if (rendered === (rendered = JSON.stringify(sessions))) return;
  $('sessions').replaceChildren(...sessions.map(sessionItem));
}

function sessionItem({ sessionHandle, timeCreated, expiry, browser, isThisOne, isBound }) {
  const text = element('div', {}, [
    element('p', { textContent: `${browserName(browser)}, since ${clockTime(timeCreated)}` }),
    element('p', {
      className: 'fine',
      textContent: `${short(sessionHandle)}, expires ${new Date(expiry).toLocaleDateString()}${isBound ? ', bound to its browser' : ''}`,
    }),
  ]);
  if (isThisOne)
    return element('li', {}, [text, element('span', { className: 'mine', textContent: 'this one' })]);
  const button = element('button', { className: 'quiet small', textContent: 'Revoke' });
  onClick(button, () => revoke(sessionHandle));
  return element('li', {}, [text, button]);
}

function renderRing() {
  if (!me) return;
  const { iat, exp } = me.accessTokenPayload;
  const left = Math.max(0, exp - Date.now() / 1000);
  const percent = Math.min(100, (100 * left) / (exp - iat));
  $('ring-life').style.strokeDasharray = `${percent} 100`;
  $('ring').classList.toggle('low', percent < 25);
  $('seconds').textContent = left > 600 ? `${Math.ceil(left / 60)} min` : `${Math.ceil(left)} s`;
}

function flashRing() {
  $('ring').classList.remove('refreshed');
  void $('ring').offsetWidth; // restarts the animation
  $('ring').classList.add('refreshed');
}

function showSignedIn(isSignedIn) {
  $('signed-in').hidden = $('sign-out').hidden = !isSignedIn;
  $('signed-out').hidden = isSignedIn;
}

// The copy of all cookies. Only with https, because browsers bind no session without it.

const BINDS_WITHIN_MS = 8000;
const isHttps = location.protocol === 'https:';
let copy; // what is known of it; undefined when there is none

async function copyCookies() {
  const { status, body } = await call('POST', '/demo/copied-cookies');
  if (status === 401) return showEnded();
  copy = { ...body, at: Date.now() };
  await showMe();
}

/** The server uses the copy once, and the browser makes the same call. The log says what is new since the last time. */
async function useCopy() {
  const used = copy;
  const { ok, body } = await call('GET', '/demo/copied-cookies', { isPoll: true });
  if (!ok || copy !== used) return;
  const isNews = body.thief !== copy.thief;
  if (isNews) logCall('the thief: GET /demo/guarded', body.thief, body.thief === 200);
  if (body.renewals > (copy.renewals ?? 0)) logEvent('BOUND_COOKIE_RENEWED');
  Object.assign(copy, body);
  const { status: owner } = await call('GET', '/demo/guarded', { isPoll: !isNews });
  if (owner === 401) return showEnded();
  if (copy === used) renderCopy(owner);
}

function renderCopy(owner) {
  const { thief, renewals } = copy;
  const isIn = thief === 200;
  $('copy-thief').className = isIn ? 'bad' : 'good';
  setText($('copy-thief'), isIn ? `reads your data: ${thief}` : `is refused: ${thief}`);
  $('copy-owner').className = owner === 200 ? 'good' : 'bad';
  const times = renewals === 1 ? 'once' : `${renewals} times`;
  setText($('copy-owner'), `its call: ${owner}${renewals ? `, cookie renewed ${times}` : ''}`);
  $('copy-sides').hidden = false;
}

function renderBinding(sessions) {
  const isBound = copy?.isBound ?? me.accessTokenPayload.cnf !== undefined;
  const age = Date.now() - sessions.find(({ isThisOne }) => isThisOne).timeCreated;
  $('copy').disabled = !isBound && age < BINDS_WITHIN_MS;
  $('copy-idea').hidden = Boolean(copy);
  if (!copy) $('copy-sides').hidden = true;
  setText($('binding'), bindingText(isBound, $('copy').disabled));
}

function bindingText(isBound, mayStillBind) {
  if (mayStillBind) return 'The browser has not bound this session yet.';
  if (!isBound && copy?.thief === 401)
    return 'The copied access token has ended. A thief would refresh now: see above.';
  if (!isBound) return 'This browser does not bind sessions; the copy works as long as the session.';
  if (!copy) return 'Bound to a key of this browser, which malware cannot copy.';
  const ago = Math.round((Date.now() - copy.at) / 1000);
  return `Copied ${ago} s ago. The bound cookie in it lives ${copy.boundCookieSeconds}\u00a0s at most.`;
}

// The end of a session, and why.

async function showEnded() {
  const ended = me;
  showSignedOut();
  if (!ended) return;
  const { body: events } = await call('GET', '/demo/events');
  const own = events.filter((event) => event.sessionHandle === ended.sessionHandle);
  const theft = own.find((event) => event.type === 'session.theft-detected');
  const end = theft ?? own.find((event) => event.type === 'session.revoked');
  $('ended').hidden = false;
  $('ended-sides').hidden = !theft;
  $('ended-title').textContent = theft ? 'Theft detected: both sides are out' : 'This session has ended';
  $('ended-text').textContent = theft
    ? 'A refresh token came back after its replacement had been used, so two parties held tokens of one session.'
    : 'It was signed out or revoked somewhere else. This browser noticed with its next call.';
  $('thief-side').textContent = 'The old refresh token was refused, and there is no new one.';
  $('browser-side').textContent = 'Its next call got a 401, and its cookies were cleared.';
  $('ended-event').hidden = !end;
  $('ended-event').textContent = end ? pretty(end) : '';
}

function hideEnded() {
  $('ended').hidden = true;
}

function showSignedOut() {
  me = copy = undefined;
  clearTimeout(runsOut);
  showSignedIn(false);
}

// The log.

function logCall(request, status, isBad = !(status < 400)) {
  log(
    element('span', { textContent: request }),
    element('b', { className: isBad ? 'bad' : 'good', textContent: status }),
  );
}

function logEvent(action) {
  const isBad = action === 'UNAUTHORISED' || action === 'API_INVALID_CLAIM';
  log(element('span', { className: isBad ? 'event bad' : 'event', textContent: action }));
}

function log(...parts) {
  $('log').prepend(element('li', {}, [element('time', { textContent: clockTime(Date.now()) }), ...parts]));
  while ($('log').children.length > 200) $('log').lastElementChild.remove();
}

// Small things.

function element(name, properties, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** The button rests until the work is done. */
function onClick(button, work) {
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      log(element('span', { className: 'event bad', textContent: String(error) }));
    } finally {
      button.disabled = false;
    }
  });
}

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

const isAdmin = () => me?.accessTokenPayload.admin?.v === true;
const pretty = (value) => JSON.stringify(value, null, 2);
const short = (handle) => handle.slice(0, 8);
const clockTime = (ms) => new Date(ms).toLocaleTimeString([], { hourCycle: 'h23' });

function browserName(userAgent) {
  const known = [
    ['Edg', 'Edge'],
    ['Firefox', 'Firefox'],
    ['Chrome', 'Chrome'],
    ['Safari', 'Safari'],
    ['curl', 'curl'],
  ];
  return known.find(([mark]) => userAgent.includes(mark))?.[1] ?? 'Another browser';
}

onClick($('guarded'), () => callAndShow('/demo/guarded'));
onClick($('admin'), () => callAndShow('/demo/admin'));
onClick($('role'), changeRole);
onClick($('steal'), steal);
onClick($('copy'), copyCookies);
onClick($('sign-out'), async () => {
  await signOut();
  showSignedOut();
});

$('copy-part').hidden = !isHttps;
$('copy-hint').hidden = isHttps;

const users = await (await wire('/demo/users')).json();
$('users').replaceChildren(
  ...users.map(({ id, name }) => {
    const button = element('button', { textContent: name });
    onClick(button, () => signInAs(id));
    return button;
  }),
);

// Without a front token there is no session, and the client would ask the server in vain.
if (document.cookie.includes('sFrontToken=') && (await doesSessionExist())) await showMe();
if (!me) showSignedIn(false);

setInterval(renderRing, 250);
setInterval(poll, POLL_MS);
