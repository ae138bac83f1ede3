/** While there is a session, three questions are always under way, and the round robin hands one to each instance. */
const QUESTIONS = 3;
const PAUSE_MS = 15;
const IDLE_PAUSE_MS = 400;
/** The length of a strip. */
const STRIP_MS = 1200;
const KEPT_ROUNDS = 6;

const $ = (id) => document.getElementById(id);
const columns = new Map(['A', 'B', 'C'].map((name) => [name, makeColumn(name)]));

let token; // of the session that is watched
let round; // from the click on "End everywhere" until all instances refuse

/** The page keeps its token in memory and sends it in a header, so that no 401 takes it away. */
function call(method, path) {
  const headers = { 'st-auth-mode': 'header', ...(token && { authorization: `Bearer ${token}` }) };
  return fetch(path, { method, headers, cache: 'no-store' });
}

async function signIn() {
  const response = await call('POST', '/sign-in');
  token = response.headers.get('st-access-token');
  if (!token) throw new Error(`the sign-in got a ${response.status}`);
  for (const column of columns.values()) show(column, '', 'no response yet', '');
  tell(`Ada is signed in, on ${nameOf(response)}. Every instance accepts her access token.`);
}

/** The dashboard is for an operator, whose session is in cookies. */
async function openDashboard() {
  await fetch('/operate', { method: 'POST', headers: { 'st-auth-mode': 'cookie' } });
  location.assign('/dashboard');
}

async function endEverywhere() {
  round = { startMs: performance.now(), refusals: new Map() };
  for (const { strip } of columns.values()) strip.replaceChildren();
  const response = await call('POST', '/end-everywhere');
  if (!response.ok) {
    round = undefined;
    throw new Error(`the call got a ${response.status}`);
  }
  round.endedOn = nameOf(response);
  tell(`Ended on ${round.endedOn}. The others are on their own now: they learn it by the feed.`);
  finishRound();
}

/** One question to the instance whose turn it is. */
async function ask() {
  const asked = token;
  const response = await call('GET', asked ? '/me' : '/hello');
  const column = columns.get(nameOf(response));
  if (column === undefined || asked !== token) return; // an instance is down, or the response is about a former session
  const state = response.headers.get('x-feed');
  setText(column.feed, state);
  column.feed.dataset.state = state;
  if (!asked) return;
  if (round) noteResponse(column, response.ok);
  else if (response.ok) show(column, 'good', 'accepts', '');
  else forget('The session has ended.');
}

function noteResponse(column, isAccepted) {
  const afterMs = Math.round(performance.now() - round.startMs);
  if (afterMs <= STRIP_MS) {
    const mark = document.createElement('i');
    mark.className = isAccepted ? 'good' : 'bad';
    mark.style.left = `${(100 * afterMs) / STRIP_MS}%`;
    column.strip.append(mark);
  }
  if (isAccepted || round.refusals.has(column.name)) return;
  round.refusals.set(column.name, afterMs);
  show(column, 'bad', 'refuses', `after ${afterMs} ms`);
  finishRound();
}

function finishRound() {
  if (round.refusals.size < columns.size || !round.endedOn) return;
  const slowest = Math.max(...round.refusals.values());
  addRow(round);
  round = undefined;
  forget(`Refused everywhere after ${slowest} ms. The token would have been valid for an hour.`);
}

function forget(why) {
  token = undefined;
  $('sign-in').hidden = false;
  $('end').hidden = true;
  tell(why);
}

function addRow({ endedOn, refusals }) {
  $('rounds').hidden = false;
  const body = $('rounds').tBodies[0];
  const row = body.insertRow(0);
  row.insertCell().textContent = endedOn;
  for (const name of columns.keys()) {
    const cell = row.insertCell();
    cell.textContent = `${refusals.get(name)} ms`;
    cell.classList.toggle('own', name === endedOn);
  }
  if (body.rows.length > KEPT_ROUNDS) body.deleteRow(-1);
}

// Small things.

function makeColumn(name) {
  const part = $('column').content.cloneNode(true).firstElementChild;
  $('columns').append(part);
  part.id = name;
  part.querySelector('h2').textContent = name;
  const [feed, verdict, after, strip] = ['.feed', '.verdict', '.after', '.strip'].map((at) =>
    part.querySelector(at),
  );
  return { name, part, feed, verdict, after, strip };
}

function show({ part, verdict, after }, mood, text, more) {
  part.dataset.mood = mood;
  setText(verdict, text);
  setText(after, more || '\u00a0');
}

function tell(text) {
  setText($('status'), text);
}

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** The button rests until the work is done. */
function onClick(button, work) {
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      tell(String(error));
    } finally {
      button.disabled = false;
    }
  });
}

const nameOf = (response) => response.headers.get('x-instance');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function keepAsking() {
  for (;;) {
    await ask().catch(() => undefined); // the next question may get a response
    await pause(token ? PAUSE_MS : IDLE_PAUSE_MS);
  }
}

onClick($('sign-in'), async () => {
  await signIn();
  $('sign-in').hidden = true;
  $('end').hidden = false;
  $('end').focus();
});
onClick($('end'), endEverywhere);
onClick($('dashboard'), openDashboard);
for (let n = 0; n < QUESTIONS; n++) void keepAsking();
