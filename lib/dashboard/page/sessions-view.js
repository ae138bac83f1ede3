// Finds live sessions.
import { read } from './calls.js';
import { field, fill, h, outside, searchBy, searchInput, sessionLink } from './dom.js';
import { askToEnd } from './ending.js';
import { pagedList } from './lists.js';
import { durationText, plural, time } from './texts.js';

/** @typedef {import('../session-overview.js').SessionSummary} SessionSummary */

const FIELDS = /** @type {const} */ ([
  ['userId', 'User', 'text'],
  ['tenantId', 'Tenant', 'text'],
  ['device', 'Device or address', 'text'],
  ['from', 'Signed in from', 'datetime-local'],
  ['until', 'until', 'datetime-local'],
  ['sessionHandle', 'Session handle', 'text'],
]);

/** @param {URLSearchParams} argument @param {import('./page.js').State} state @returns {import('./page.js').View} */
export function sessionsView(argument, state) {
  const inputs = FIELDS.map(([name, label, type]) =>
    field(label, searchInput(`find-${name}`, name, argument.get(name), type)),
  );
  const form = h(
    'form',
    { class: 'card find', role: 'search', 'aria-label': 'Sessions' },
    ...inputs,
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'submit', class: 'main' }, 'Find'),
      h('a', { href: '#sessions', class: 'button' }, 'Clear'),
    ),
  );
  searchBy(form, 'sessions', () => found.begin());
  const actions = h('div', { class: 'buttons' });
  const result = h('div', {});
  const body = h('tbody', {});
  const table = h(
    'table',
    { class: 'list', hidden: true },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...['User', 'Tenant', 'Device', 'Signed in', 'Ends', ''].map((label) =>
          label === '' ? h('td', {}) : h('th', { scope: 'col' }, label),
        ),
      ),
    ),
    body,
  );
  const given = (/** @type {string} */ name) => argument.get(name) ?? undefined;
  const query = {
    userId: given('userId'),
    tenantId: given('tenantId'),
    device: given('device'),
    sessionHandle: given('sessionHandle'),
    createdAfter: momentOf(argument.get('from')),
    createdBefore: momentOf(argument.get('until')),
  };
  const found = pagedList({
    list: body,
    frame: table,
    read: async (cursor) => {
      const { sessions, nextCursor } = await read('data/sessions', { ...query, cursor });
      return { items: sessions, next: nextCursor };
    },
    line: (/** @type {SessionSummary} */ session) => row(session, onEnded),
    statusText: (count, hasMore) => statusText(count, hasMore, query.device !== undefined),
    state,
  });
  const element = h(
    'div',
    {},
    h('h1', {}, 'Sessions'),
    form,
    result,
    h(
      'section',
      { class: 'card', 'aria-label': 'Result' },
      h('div', { class: 'head' }, found.status, actions),
      h('div', { class: 'scroll' }, table),
      found.more,
    ),
  );

  /** @param {HTMLElement} place */
  function onEnded(place) {
    fill(result, place);
    found.begin();
  }

  const { userId, tenantId, ...others } = query;
  const remark =
    Object.values(others).some((value) => value !== undefined) &&
    ' The other conditions of the search do not narrow this.';
  const inTenant = tenantId !== undefined && { tenantId };
  if (userId !== undefined)
    fill(
      actions,
      endButton('End all of this user', { userId, ...inTenant }, [
        'All sessions of ',
        outside(userId),
        ...(inTenant ? [' in the tenant ', outside(tenantId), '.'] : [' in every tenant.']),
      ]),
    );
  else
    fill(
      actions,
      inTenant &&
        endButton('End all of this tenant', inTenant, [
          'All sessions of the tenant ',
          outside(tenantId),
          ', yours too if it is one of them.',
        ]),
      endButton(
        'End older ones…',
        inTenant || { everybody: true },
        [
          ...(inTenant ? ['All sessions of the tenant ', outside(tenantId)] : ['The sessions of everybody']),
          ' that were created before the moment below, yours too if it is one of them.',
        ],
        true,
      ),
    );

  /** @param {string} title @param {import('./ending.js').Selection} selection @param {readonly import('./dom.js').Child[]} about */
  function endButton(title, selection, about, withMoment = false) {
    const input = { title: title.replace('…', ''), selection, withMoment, after: onEnded };
    return h(
      'button',
      {
        type: 'button',
        class: 'danger',
        onclick: () => askToEnd({ ...input, about: h('span', {}, ...about, remark) }),
      },
      title,
    );
  }

  found.begin();
  return { title: 'Sessions', element, reload: found.reload };
}

/** @param {SessionSummary} session @param {(place: HTMLElement) => void} after */
function row(session, after) {
  const { sessionHandle, userId, recipeUserId, tenantId, createdMs, expiresMs, device, actorId } = session;
  const end = () =>
    askToEnd({
      title: 'End this session',
      about: oneSession(session),
      selection: { sessionHandle },
      after,
    });
  const cell = (/** @type {string} */ label, /** @type {import('./dom.js').Child[]} */ ...children) =>
    h('td', { 'data-label': label }, ...children);
  return h(
    'tr',
    {},
    h(
      'th',
      { scope: 'row', 'data-label': 'User' },
      sessionLink(sessionHandle, outside(userId)),
      recipeUserId !== userId && h('span', { class: 'quiet' }, ' as ', outside(recipeUserId)),
      actorId !== undefined && h('span', { class: 'badge' }, 'used by ', outside(actorId)),
    ),
    cell('Tenant', outside(tenantId)),
    cell('Device', ...deviceFacts(device)),
    cell('Signed in', time(createdMs)),
    cell('Ends', `in ${durationText(expiresMs - Date.now())}`),
    h(
      'td',
      { class: 'act' },
      h(
        'button',
        { type: 'button', class: 'danger small', onclick: end },
        'End',
        h('span', { class: 'unseen' }, ' the session of ', outside(userId)),
      ),
    ),
  );
}

/** Says which session ends. @param {SessionSummary} session */
export function oneSession({ userId, createdMs }) {
  return h(
    'span',
    {},
    'The session of ',
    outside(userId),
    ' that began ',
    time(createdMs),
    ', and no other.',
  );
}

/** @param {SessionSummary['device']} device */
export function deviceFacts(device) {
  if (device === undefined) return [h('span', { class: 'quiet' }, 'not kept')];
  return [
    device.userAgent !== undefined && outside(device.userAgent),
    device.userAgent !== undefined && device.ip !== undefined && ', ',
    device.ip !== undefined && outside(device.ip),
    h('span', { class: 'quiet' }, ` seen ${durationText(Date.now() - device.lastSeen)} ago`),
  ];
}

/** @param {number} count @param {boolean} hasMore @param {boolean} isByDevice */
function statusText(count, hasMore, isByDevice) {
  if (count === 0)
    return hasMore
      ? 'None among those that were looked at.'
      : 'No live session fulfils this. Those that have ended are in the audit trail.';
  const sessions = plural(count, 'session');
  return hasMore ? `${sessions}, and there are more${isByDevice ? ' to look at' : ''}` : sessions;
}

/** @param {string | null} text of an input for a moment */
function momentOf(text) {
  const ms = text ? new Date(text).getTime() : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
