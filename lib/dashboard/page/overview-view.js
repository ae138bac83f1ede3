// The view of this moment: counts, curves, events.
import { barChart, spark, sum } from './charts.js';
import { arrange, fill, h, outside, sessionLink, shown } from './dom.js';
import { countText, KINDS, kindText, plural, REFUSALS, time, toneOf } from './texts.js';

const SHOWN_EVENTS = 30;
const TILES = ['Signed in now', 'Sign-ins', 'Refreshes', 'Refusals', 'Thefts'];
const REFUSAL_TONES = ['a', 'b', 'c', 'd', 'e', 'f'];

/** @param {URLSearchParams} _argument @param {import('./page.js').State} state @returns {import('./page.js').View} */
export function overviewView(_argument, state) {
  /** @type {'hour' | 'day'} */
  let span = 'hour';
  let onlyTrouble = false;
  /** @type {WeakMap<import('./page.js').PageEvent, HTMLElement>} */
  const items = new WeakMap();
  const tiles = h('div', { class: 'tiles' });
  const curves = {
    sessions: barChart('Sessions', 'No sign-in, refresh or end in this time.'),
    refusals: barChart('Refusals by kind', 'No request was refused in this time.'),
  };
  const charts = h('div', { class: 'charts' });
  const events = h('ol', { class: 'events' });
  const choice = (/** @type {'hour' | 'day'} */ value, /** @type {string} */ label) =>
    h(
      'label',
      {},
      h('input', {
        type: 'radio',
        name: 'span',
        value,
        checked: value === span,
        onchange: () => {
          span = value;
          update();
        },
      }),
      label,
    );
  const trouble = h(
    'label',
    { class: 'check' },
    h('input', {
      type: 'checkbox',
      onchange: (/** @type {Event} */ { target }) => {
        onlyTrouble = /** @type {HTMLInputElement} */ (target).checked;
        update();
      },
    }),
    'Only trouble',
  );
  const element = h(
    'div',
    {},
    h('h1', {}, 'Overview'),
    tiles,
    h(
      'section',
      { 'aria-labelledby': 'curves' },
      h(
        'div',
        { class: 'head' },
        h('h2', { id: 'curves' }, 'Activity'),
        h(
          'fieldset',
          { class: 'switch' },
          h('legend', { class: 'unseen' }, 'Time span'),
          choice('hour', 'Last hour'),
          choice('day', 'Last day'),
        ),
      ),
      charts,
    ),
    h(
      'section',
      { class: 'card', 'aria-labelledby': 'events' },
      h('div', { class: 'head' }, h('h2', { id: 'events' }, 'Events as they come'), trouble),
      events,
      h(
        'p',
        { class: 'quiet' },
        'Of the instance that responds to this page. The audit trail has those of all instances.',
      ),
    ),
  );

  function update() {
    if (state.summary) {
      showTiles(tiles, state.summary);
      arrange(charts, [curves.sessions.element, curves.refusals.element]);
      showCurves(curves, state.summary[span], charts.clientWidth);
    } else if (tiles.childElementCount === 0) {
      fill(tiles, ...TILES.map((label) => tile(label, '–', 'not known yet', undefined, 'plain')));
      fill(charts, h('p', { class: 'quiet' }, 'The curves come with the first response of the application.'));
    }
    const wanted = state.events
      .filter(({ type }) => !onlyTrouble || ['danger', 'warn', 'ended'].includes(toneOf(type)))
      .slice(0, SHOWN_EVENTS);
    const empty = onlyTrouble
      ? 'No trouble so far.'
      : 'No event is known yet. They appear here as they come.';
    arrange(events, wanted.length === 0 ? [h('li', { class: 'empty' }, empty)] : wanted.map(itemOf));
  }

  /** One item for each event, so that an update leaves it in place. @param {import('./page.js').PageEvent} event */
  function itemOf(event) {
    const item = items.get(event) ?? eventItem(event);
    items.set(event, item);
    return item;
  }

  update();
  return { title: 'Overview', element, update };
}

/** @param {HTMLElement} parent @param {import('./page.js').Summary} summary */
function showTiles(parent, { live, hour, day }) {
  const ofHour = (/** @type {string} */ name) => hour.counts[name] ?? [];
  const refused = refusalNames(hour).map(ofHour);
  const allRefused = Array.from({ length: hour.steps }, (_, step) =>
    sum(refused.map((values) => values[step] ?? 0)),
  );
  const thefts = day.counts['thefts'] ?? [];
  fill(
    parent,
    tile('Signed in now', liveText(live), 'live sessions', undefined, 'plain'),
    tile('Sign-ins', countText(sum(ofHour('signIns'))), 'last hour', ofHour('signIns'), 'a'),
    tile('Refreshes', countText(sum(ofHour('refreshes'))), 'last hour', ofHour('refreshes'), 'b'),
    tile('Refusals', countText(sum(allRefused)), 'last hour', allRefused, 'c'),
    tile('Thefts', countText(sum(thefts)), 'last day', thefts, sum(thefts) > 0 ? 'danger' : 'plain'),
  );
}

/** @param {import('./page.js').Summary['live']} live */
function liveText(live) {
  if (live === undefined || 'refused' in live) return '–';
  if (!live.hasMore) return countText(live.count);
  return live.estimate !== undefined ? `≈ ${countText(live.estimate)}` : `> ${countText(live.count)}`;
}

/** @param {string} label @param {string} value @param {string} note @param {readonly number[] | undefined} values @param {string} tone */
function tile(label, value, note, values, tone) {
  return h(
    'div',
    { class: `tile ${tone === 'danger' ? 'alarm' : ''}` },
    h('h2', {}, label),
    h('p', { class: 'figure' }, value),
    h('p', { class: 'quiet' }, note),
    values && values.length > 0 && spark(values, tone),
  );
}

/**
 * @param {Record<'sessions' | 'refusals', ReturnType<typeof barChart>>} curves @param {import('../activity.js').Series} series
 * @param {number} space the width for all
 */
function showCurves({ sessions, refusals }, series, space) {
  const width = Math.max(280, (space || 600) > 760 ? (space - 16) / 2 - 34 : space - 34);
  const row = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ tone) => ({
    label,
    values: series.counts[name] ?? [],
    tone,
  });
  sessions.update({
    ...series,
    width,
    rows: [
      row('signIns', 'Sign-ins', 'a'),
      row('refreshes', 'Refreshes', 'b'),
      row('ended', 'Ended', 'c'),
      row('thefts', 'Thefts', 'danger'),
    ],
  });
  refusals.update({
    ...series,
    width,
    rows: refusalNames(series).map((name, index) =>
      row(name, refusalText(name), REFUSAL_TONES[index % REFUSAL_TONES.length] ?? 'a'),
    ),
  });
}

/** @param {import('../activity.js').Series} series */
function refusalNames({ counts }) {
  return Object.keys(counts)
    .filter((name) => name.startsWith('refused:'))
    .toSorted();
}

/** @param {string} name */
function refusalText(name) {
  const kind = name.slice('refused:'.length);
  return REFUSALS[kind] ?? kind;
}

/** One event as a line. @param {import('./page.js').PageEvent} event */
function eventItem(event) {
  const handle = 'sessionHandle' in event ? event.sessionHandle : undefined;
  const userId = 'userId' in event ? event.userId : undefined;
  const label = h('b', {}, Object.hasOwn(KINDS, event.type) ? kindText(event.type) : outside(event.type));
  return h(
    'li',
    { class: `tone-${toneOf(event.type)}` },
    time(event.timeMs, 'clock'),
    handle === undefined ? label : sessionLink(handle, label),
    h('span', { class: 'facts' }, ...factsOf(event, userId)),
  );
}

/** @param {import('./page.js').PageEvent} event @param {string | undefined} userId */
function factsOf(event, userId) {
  const facts = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (event));
  return [
    userId !== undefined && outside(userId, { class: 'user' }),
    facts['tenantId'] !== undefined && facts['tenantId'] !== 'public' && outside(facts['tenantId']),
    ...['actorId', 'reason', 'initiator', 'message', 'state', 'kid', 'ip']
      .filter((name) => facts[name] !== undefined)
      .map((name) => outside(facts[name])),
    facts['userAgent'] !== undefined &&
      outside(facts['userAgent'], { class: 'agent', title: shown(facts['userAgent']) }),
    Array.isArray(facts['failedClaimIds']) && outside(facts['failedClaimIds'].join(', ')),
    typeof facts['failedCalls'] === 'number' && plural(facts['failedCalls'], 'failed call'),
  ];
}
