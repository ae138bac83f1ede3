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
 * A view calls `notice` with the error of its own call, or with undefined after one that succeeded.
 *
 * @typedef {{ summary: Summary | undefined, events: PageEvent[], notice: (error: unknown) => void }} State
 */
/** `reload` repeats the call of the view that failed. @typedef {{ title: string, element: HTMLElement, update?: () => void, reload?: () => void }} View */

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
const state = { summary: undefined, events: [], notice: noticeOfView };
/** @type {View} */
let view;
let isSummaryDown = false;
let isViewWaiting = false;
let areEventsLive = false;

function show() {
  const [name = '', ...query] = location.hash.slice(1).split('?');
  const known = Object.hasOwn(VIEWS, name) ? name : 'overview';
  const isFirst = view === undefined;
  isViewWaiting = false;
  view = /** @type {(typeof VIEWS)[string]} */ (VIEWS[known])(new URLSearchParams(query.join('?')), state);
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

/** @param {unknown} error */
function noticeOfView(error) {
  isViewWaiting = isPassing(error);
  showNotice(error);
}

/** @param {unknown} error */
function isPassing(error) {
  return error instanceof CallError && error.kind === 'passing';
}

/** @param {unknown} error undefined: all is well */
function showNotice(error) {
  if (error === undefined) return fill(notice);
  const isKnown = error instanceof CallError;
  if (!isKnown) console.error(error);
  const message = isKnown ? error.message : 'The page has failed. Load it again.';
  const text = isPassing(error) ? `${message} The page tries again by itself.` : message;
  if (notice.textContent?.startsWith(text)) return; // a screen reader has read it out already
  const isOver = isKnown && error.kind === 'over';
  fill(
    notice,
    h(
      'p',
      { class: 'notice' },
      text,
      isOver && ' ',
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
      if (isSummaryDown && !isViewWaiting) showNotice(undefined);
      isSummaryDown = false;
      if (isViewWaiting) view.reload?.();
    } catch (error) {
      showNotice(error);
      isSummaryDown = true;
    }
    showConnection();
    view.update?.();
  }
  setTimeout(() => void poll(), POLL_MS);
}

/** @param {readonly PageEvent[]} events those that are known already are dropped */
function take(events) {
  const known = new Set(state.events.map(eventKey));
  const fresh = events.filter((event) => !known.has(eventKey(event)));
  if (fresh.length === 0) return;
  state.events = [...fresh, ...state.events]
    .sort((a, b) => b.timeMs - a.timeMs || b.number - a.number)
    .slice(0, KEPT_EVENTS);
  view.update?.();
}

/** Several instances may respond to this page in turn, and each numbers its own. @param {PageEvent} event */
function eventKey({ number, timeMs, type }) {
  return `${number} ${timeMs} ${type}`;
}

async function readRecent() {
  take((await read('data/recent')).events);
}

/** Opens the stream of events; after an end, which comes at least every five minutes, opens it again. */
async function follow(pauseMs = RETRY_MS.first) {
  let pause = pauseMs;
  try {
    await readRecent(); // with a token that has expired, too, which the stream cannot renew
    const source = openEvents();
    source.addEventListener('open', () => {
      pause = RETRY_MS.first;
      areEventsLive = true;
      showConnection();
      readRecent().catch(() => source.dispatchEvent(new Event('error'))); // what happened before the stream was open
    });
    source.addEventListener('message', ({ data }) => take([JSON.parse(data)]));
    await new Promise((resolve) => source.addEventListener('error', resolve, { once: true }));
    source.close();
  } catch {
    // The poll says why.
  }
  areEventsLive = false;
  setTimeout(() => void follow(Math.min(2 * pause, RETRY_MS.longest)), pause);
}

addEventListener('hashchange', show);
addEventListener('resize', () => view.update?.());
show();
void poll();
void follow();
