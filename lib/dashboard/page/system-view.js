// Core, feed, instances and keys.
import { read } from './calls.js';
import { fill, h, outside } from './dom.js';
import { durationText, plural, time } from './texts.js';

/** @typedef {import('./page.js').Summary} Summary */

/** @type {Record<string, [text: string, tone: string]>} */
const FEEDS = {
  live: ['learns of ends at once', 'good'],
  polling: ['learns of ends within a second or so', 'good'],
  stale: ['does not learn of ends at present', 'danger'],
  none: ['the core has no feed', 'warn'],
};

/** @param {URLSearchParams} _argument @param {import('./page.js').State} state @returns {import('./page.js').View} */
export function systemView(_argument, state) {
  const core = h('div', {}, h('p', { class: 'quiet' }, 'Looking…'));
  const instances = h('div', {});
  const keys = h('div', {}, h('p', { class: 'quiet' }, 'Looking…'));
  const element = h(
    'div',
    {},
    h('h1', {}, 'System'),
    h(
      'section',
      { class: 'card', 'aria-labelledby': 'core' },
      h('h2', { id: 'core' }, 'Core and store'),
      core,
    ),
    h(
      'section',
      { class: 'card', 'aria-labelledby': 'instances' },
      h('h2', { id: 'instances' }, 'Instances'),
      instances,
    ),
    h('section', { class: 'card', 'aria-labelledby': 'keys' }, h('h2', { id: 'keys' }, 'Signing keys'), keys),
  );

  function update() {
    if (state.summary === undefined) return;
    showCore(core, state.summary);
    showInstances(instances, state.summary);
  }

  async function loadKeys() {
    try {
      showKeys(keys, (await read('data/keys')).keys);
      if (keys.isConnected) state.notice(undefined);
    } catch (error) {
      if (!keys.isConnected) return;
      fill(keys, h('p', { class: 'empty' }, 'The keys are not known at present.'));
      state.notice(error);
    }
  }

  update();
  void loadKeys();
  return { title: 'System', element, update, reload: () => void loadKeys() };
}

/** @param {HTMLElement} place @param {Summary} summary */
function showCore(place, { core, live }) {
  fill(
    place,
    h(
      'p',
      { class: 'state' },
      h('span', { class: `dot tone-${core.isUp ? 'good' : 'danger'}` }),
      core.isUp ? `Responds in ${core.durationMs} ms` : 'Does not respond: sign-ins and refreshes get 503',
    ),
    h('p', { class: 'quiet' }, outside(core.description)),
    live !== undefined && 'refused' in live && h('p', { class: 'quiet' }, outside(live.refused)),
  );
}

/** @param {HTMLElement} place @param {Summary} summary */
function showInstances(place, { instances, nowMs, areInstancesShared, areInstancesKnown }) {
  const rows = instances.map(({ name, startedAtMs, reportedAtMs, feed, isResponding }) => {
    const [text, tone] =
      feed === undefined
        ? ['no option revocationFeed: access tokens are good until they expire', 'warn']
        : (FEEDS[feed.state] ?? [feed.state, 'warn']);
    return h(
      'tr',
      {},
      h('th', { scope: 'row', 'data-label': 'Instance' }, outside(name)),
      h('td', { 'data-label': 'Runs for' }, durationText(nowMs - startedAtMs)),
      h('td', { 'data-label': 'Ended sessions' }, h('span', { class: `dot tone-${tone}` }), text),
      h('td', { 'data-label': 'Knows all until' }, time(feed?.knownUntilMs, 'clock')),
      h(
        'td',
        { 'data-label': 'Core' },
        isResponding === undefined ? '–' : isResponding ? 'responds' : 'does not respond',
      ),
      h('td', { 'data-label': 'Reported' }, `${durationText(nowMs - reportedAtMs)} ago`),
    );
  });
  fill(
    place,
    table(['Instance', 'Runs for', 'Ended sessions', 'Knows all until', 'Core', 'Reported'], rows),
    !areInstancesKnown &&
      h(
        'p',
        { class: 'problem' },
        'The others are not known at present, because the store does not respond.',
      ),
    !areInstancesShared &&
      h('p', { class: 'quiet' }, 'This core has no place that instances share, so each shows itself alone.'),
  );
}

/** @param {HTMLElement} place @param {readonly import('../session-overview.js').KeyAge[]} keys */
function showKeys(place, keys) {
  const rows = keys.map(({ kid, algorithm, kind, createdMs }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row', 'data-label': 'Key' }, outside(kid, { class: 'mono' })),
      h('td', { 'data-label': 'Kind' }, kind),
      h('td', { 'data-label': 'Algorithm' }, outside(algorithm ?? '–')),
      h(
        'td',
        { 'data-label': 'Age' },
        createdMs === undefined ? 'not known' : durationText(Date.now() - createdMs),
      ),
      h('td', { 'data-label': 'Made' }, time(createdMs)),
    ),
  );
  fill(
    place,
    keys.length === 0
      ? h('p', { class: 'empty' }, 'There are no keys.')
      : table(['Key', 'Kind', 'Algorithm', 'Age', 'Made'], rows),
    h(
      'p',
      { class: 'quiet' },
      `${plural(keys.length, 'published key')}. The newest rotating key signs; the others verify what they have signed.`,
    ),
  );
}

/** @param {readonly string[]} heads @param {readonly HTMLElement[]} rows */
function table(heads, rows) {
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      { class: 'list' },
      h('thead', {}, h('tr', {}, ...heads.map((head) => h('th', { scope: 'col' }, head)))),
      h('tbody', {}, ...rows),
    ),
  );
}
