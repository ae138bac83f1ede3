// The audit trail of all instances.
import { read } from './calls.js';
import { field, h, outside, searchBy, searchInput, sessionLink } from './dom.js';
import { pagedList } from './lists.js';
import { facts } from './story-view.js';
import { kindText, plural, time, toneOf } from './texts.js';

const CHOICES = [
  '',
  'ended',
  'session.theft-detected',
  'session.created',
  'session.promoted',
  'session.revoked',
  'session.expired',
  'sessions.ended-before',
  'session.data-changed',
  'session.payload-changed',
  'delivery.failed',
];
const FIELDS = /** @type {const} */ ([
  ['userId', 'User'],
  ['tenantId', 'Tenant'],
  ['sessionHandle', 'Session handle'],
]);

/** @param {URLSearchParams} argument @param {import('./page.js').State} state @returns {import('./page.js').View} */
export function trailView(argument, state) {
  const option = (/** @type {string} */ value) =>
    h(
      'option',
      { value, selected: (argument.get('kind') ?? '') === value },
      value === '' ? 'All' : value === 'ended' ? 'Ended or expired' : kindText(value),
    );
  const form = h(
    'form',
    { class: 'card find', role: 'search', 'aria-label': 'Audit trail' },
    ...FIELDS.map(([name, label]) => field(label, searchInput(`trail-${name}`, name, argument.get(name)))),
    field('Kind', h('select', { name: 'kind', id: 'trail-kind' }, ...CHOICES.map(option))),
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'submit', class: 'main' }, 'Find'),
      h('a', { href: '#trail', class: 'button' }, 'Clear'),
    ),
  );
  searchBy(form, 'trail', () => records.begin());
  const list = h('ol', { class: 'events records' });
  let isKept = true;
  const records = pagedList({
    list,
    read: async (after) => {
      const page = await read('data/trail', { ...Object.fromEntries(argument), after });
      isKept = page.isMissing !== true;
      return { items: page.records ?? [], next: page.mayHaveMore ? page.next : undefined };
    },
    line: record,
    statusText: (count, hasMore) =>
      isKept
        ? statusText(count, hasMore)
        : 'The application keeps no audit trail. The option audit of SessionModule begins one.',
    state,
  });
  const element = h(
    'div',
    {},
    h('h1', {}, 'Audit trail'),
    form,
    h('section', { class: 'card', 'aria-label': 'Records' }, records.status, list, records.more),
  );
  records.begin();
  return { title: 'Audit trail', element, reload: records.reload };
}

/** @param {number} count @param {boolean} hasMore */
function statusText(count, hasMore) {
  if (count === 0 && !hasMore) return 'No record fulfils this.';
  return `${plural(count, 'record')}, the newest first${hasMore ? '; there may be more' : ''}`;
}

/** @param {import('../../audit/audit-record.js').AuditRecord} entry */
function record(entry) {
  const { kind, timeMs, sessionHandle, userId, recipeUserId, tenantId } = entry;
  const label = h('b', {}, kindText(kind));
  return h(
    'li',
    { class: `tone-${toneOf(kind)}` },
    time(timeMs),
    sessionHandle === undefined ? label : sessionLink(sessionHandle, label),
    h(
      'span',
      { class: 'facts' },
      (userId ?? recipeUserId) !== undefined && outside(userId ?? recipeUserId, { class: 'user' }),
      tenantId !== undefined && tenantId !== 'public' && outside(tenantId),
      ...facts(entry),
    ),
  );
}
