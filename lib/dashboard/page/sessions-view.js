// Finds live sessions.
import { read } from './calls.js';
import { fill, h, outside, searchBy } from './dom.js';
import { askToEnd } from './ending.js';
import { durationText, time } from './texts.js';

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
  const inputs = FIELDS.map(([name, label, type]) => {
    const input = h('input', {
      type,
      name,
      id: `find-${name}`,
      value: argument.get(name) ?? '',
      autocomplete: 'off',
      spellcheck: 'false',
    });
    return h('div', { class: 'field' }, h('label', { for: `find-${name}` }, label), input);
  });
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
  searchBy(form, 'sessions', () => void load());
  const actions = h('div', { class: 'buttons' });
  const result = h('div', {});
  const status = h('p', { class: 'quiet', role: 'status' });
  const body = h('tbody', {});
  const more = h('div', { class: 'buttons' });
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
  const element = h(
    'div',
    {},
    h('h1', {}, 'Sessions'),
    form,
    result,
    h(
      'section',
      { class: 'card', 'aria-label': 'Result' },
      h('div', { class: 'head' }, status, actions),
      h('div', { class: 'scroll' }, table),
      more,
    ),
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
  let shownCount = 0;

  /** @param {string} [cursor] */
  async function load(cursor) {
    fill(status, 'Looking…');
    try {
      const page = await read('data/sessions', { ...query, cursor });
      if (cursor === undefined) {
        fill(body);
        shownCount = 0;
      }
      body.append(
        ...page.sessions.map((/** @type {SessionSummary} */ session) => row(session, state, onEnded)),
      );
      shownCount += page.sessions.length;
      table.hidden = shownCount === 0;
      fill(status, statusText(shownCount, page.nextCursor !== undefined, query.device !== undefined));
      fill(
        more,
        page.nextCursor !== undefined &&
          h(
            'button',
            { type: 'button', onclick: () => void load(page.nextCursor) },
            shownCount === 0 ? 'Look further' : 'Show more',
          ),
      );
    } catch (error) {
      fill(status, 'No result.');
      table.hidden = true;
      state.notice(error);
    }
  }

  /** @param {HTMLElement} place */
  function onEnded(place) {
    fill(result, place);
    void load();
  }

  const { userId, tenantId } = query;
  fill(
    actions,
    userId !== undefined &&
      endButton(
        'End all of this user',
        h(
          'span',
          {},
          'All sessions of ',
          outside(userId),
          tenantId !== undefined && ' in ',
          tenantId !== undefined && outside(tenantId),
          '.',
        ),
        { userId, ...(tenantId !== undefined && { tenantId }) },
      ),
    userId === undefined &&
      tenantId !== undefined &&
      endButton('End this tenant', h('span', {}, 'All sessions of the tenant ', outside(tenantId), '.'), {
        tenantId,
      }),
    userId === undefined &&
      endButton(
        'End older ones…',
        h(
          'span',
          {},
          tenantId === undefined
            ? 'The sessions of everybody, yours too, that were created before a moment.'
            : 'Sessions of the tenant ',
          tenantId !== undefined && outside(tenantId),
        ),
        tenantId === undefined ? { everybody: true } : { tenantId },
        true,
      ),
  );

  /** @param {string} title @param {import('./dom.js').Child} about @param {import('./ending.js').Selection} selection */
  function endButton(title, about, selection, withMoment = false) {
    return h(
      'button',
      {
        type: 'button',
        class: 'danger',
        onclick: () =>
          askToEnd({ title: title.replace('…', ''), about, selection, withMoment, after: onEnded, state }),
      },
      title,
    );
  }

  void load();
  return { title: 'Sessions', element };
}

/** @param {SessionSummary} session @param {import('./page.js').State} state @param {(place: HTMLElement) => void} after */
function row(session, state, after) {
  const { sessionHandle, userId, recipeUserId, tenantId, createdMs, expiresMs, device, actorId } = session;
  const end = () =>
    askToEnd({
      title: 'End this session',
      about: h('span', {}, 'The session of ', outside(userId), '.'),
      selection: { sessionHandle },
      after,
      state,
    });
  const cell = (/** @type {string} */ label, /** @type {import('./dom.js').Child[]} */ ...children) =>
    h('td', { 'data-label': label }, ...children);
  return h(
    'tr',
    {},
    h(
      'th',
      { scope: 'row', 'data-label': 'User' },
      h('a', { href: `#session?${new URLSearchParams({ sessionHandle })}` }, outside(userId)),
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
  const sessions = `${count} ${count === 1 ? 'session' : 'sessions'}`;
  return hasMore ? `${sessions}, and there are more${isByDevice ? ' to look at' : ''}` : sessions;
}

/** @param {string | null} text of an input for a moment */
function momentOf(text) {
  const ms = text ? new Date(text).getTime() : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
