// The page: chooses a view by the address, and keeps the state of the application and its events.
import { CallError, openEvents, read } from './calls.js';
import { fill, h } from './dom.js';
import { overviewView } from './overview-view.js';
import { sessionsView } from './sessions-view.js';
import { storyView } from './story-view.js';
import { systemView } from './system-view.js';
import { trailView } from './trail-view.js';

/** @typedef {import('../activity.js').NumberedEvent} PageEvent */
/** @typedef {Awaited<ReturnType<import('../dashboard-state.js').DashboardState['summary']>>} Summary */
/**
 * The facts that views share. `state.events` has the newest event first.
 *
 * @typedef {{ summary: Summary | undefined, events: PageEvent[], notice: (error: unknown) => void }} State
 */
/** @typedef {{ title: string, element: HTMLElement, update?: () => void }} View */

const POLL_MS = 5000;
const KEPT_EVENTS = 200;
const RETRY_MS = { first: 1000, longest: 30_000 };

/** @type {Record<string, (argument: URLSearchParams, state: State) => View>} */
const VIEWS = {
  overview: overviewView,
  sessions: sessionsView,
  session: storyView,
  trail: trailView,
  system: systemView,
};

const main = /** @type {HTMLElement} */ (document.getElementById('main'));
const connection = /** @type {HTMLElement} */ (document.getElementById('connection'));
const notice = /** @type {HTMLElement} */ (document.getElementById('notice'));

/** @type {State} */
const state = { summary: undefined, events: [], notice: showNotice };
/** @type {View} */
let view;
let isSummaryDown = false;
let areEventsLive = false;

function show() {
  const [name = '', query = ''] = location.hash.slice(1).split('?');
  const known = Object.hasOwn(VIEWS, name) ? name : 'overview';
  const isFirst = view === undefined;
  view = /** @type {(typeof VIEWS)[string]} */ (VIEWS[known])(new URLSearchParams(query), state);
  document.title = `${view.title} · Sessions`;
  fill(main, view.element);
  fill(notice);
  for (const link of document.querySelectorAll('nav a')) {
    const isHere = link.getAttribute('href') === `#${known === 'session' ? 'sessions' : known}`;
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (!isFirst) main.focus();
}

/** @param {unknown} error undefined: all is well */
function showNotice(error) {
  if (error === undefined) return fill(notice);
  const isOver = error instanceof CallError && error.status === 401;
  const message = error instanceof CallError ? error.message : 'The page has failed. Load it again.';
  if (!(error instanceof CallError)) console.error(error);
  fill(
    notice,
    h(
      'p',
      { class: 'notice' },
      message,
      ' ',
      isOver && h('button', { type: 'button', onclick: () => location.reload() }, 'Load again'),
    ),
  );
}

function showConnection() {
  const [text, tone] = isSummaryDown
    ? ['No connection', 'danger']
    : areEventsLive
      ? ['Live', 'good']
      : ['Events paused', 'warn'];
  if (connection.textContent !== text) fill(connection, h('span', { class: `dot tone-${tone}` }), text);
}

async function poll() {
  if (!document.hidden) {
    try {
      state.summary = await read('data/summary');
      if (isSummaryDown) showNotice(undefined);
      isSummaryDown = false;
    } catch (error) {
      if (!isSummaryDown) showNotice(error);
      isSummaryDown = true;
    }
    showConnection();
    view.update?.();
  }
  setTimeout(() => void poll(), POLL_MS);
}

/** @param {readonly PageEvent[]} events newest last */
function take(events) {
  const known = new Set(state.events.map(eventKey));
  const fresh = events.filter((event) => !known.has(eventKey(event)));
  if (fresh.length === 0) return;
  state.events = [...fresh.toReversed(), ...state.events].slice(0, KEPT_EVENTS);
  view.update?.();
}

/** Several instances may answer this page in turn, and each numbers its own. @param {PageEvent} event */
function eventKey({ number, timeMs, type }) {
  return `${number} ${timeMs} ${type}`;
}

/** Opens the stream of events; after an end, which comes at least every five minutes, opens it again. */
async function follow(pauseMs = RETRY_MS.first) {
  let pause = pauseMs;
  try {
    take((await read('data/recent')).events);
    const source = openEvents();
    source.addEventListener('open', () => {
      pause = RETRY_MS.first;
      areEventsLive = true;
      showConnection();
    });
    source.addEventListener('message', ({ data }) => take([JSON.parse(data)]));
    await new Promise((resolve) => source.addEventListener('error', resolve, { once: true }));
    source.close();
  } catch {
    // The poll says what is wrong.
  }
  areEventsLive = false;
  setTimeout(() => void follow(Math.min(2 * pause, RETRY_MS.longest)), pause);
}

addEventListener('hashchange', show);
addEventListener('resize', () => view.update?.());
show();
void poll();
void follow();
