// The audit trail of all instances.
import { read } from './calls.js';
import { fill, h, outside, searchBy } from './dom.js';
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
    ...FIELDS.map(([name, label]) =>
      h(
        'div',
        { class: 'field' },
        h('label', { for: `trail-${name}` }, label),
        h('input', {
          type: 'text',
          name,
          id: `trail-${name}`,
          value: argument.get(name) ?? '',
          autocomplete: 'off',
          spellcheck: 'false',
        }),
      ),
    ),
    h(
      'div',
      { class: 'field' },
      h('label', { for: 'trail-kind' }, 'Kind'),
      h('select', { name: 'kind', id: 'trail-kind' }, ...CHOICES.map(option)),
    ),
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'submit', class: 'main' }, 'Find'),
      h('a', { href: '#trail', class: 'button' }, 'Clear'),
    ),
  );
  searchBy(form, 'trail', () => void load());
  const status = h('p', { class: 'quiet', role: 'status' });
  const list = h('ol', { class: 'events records' });
  const more = h('div', { class: 'buttons' });
  const element = h(
    'div',
    {},
    h('h1', {}, 'Audit trail'),
    form,
    h('section', { class: 'card', 'aria-label': 'Records' }, status, list, more),
  );
  let shownCount = 0;

  /** @param {string} [after] */
  async function load(after) {
    fill(status, 'Looking…');
    try {
      const page = await read('data/trail', { ...Object.fromEntries(argument), after });
      if (after === undefined) {
        fill(list);
        shownCount = 0;
      }
      if (page.isMissing)
        return fill(
          status,
          'The application keeps no audit trail. The option audit of SessionModule begins one.',
        );
      list.append(...page.records.map(record));
      shownCount += page.records.length;
      fill(
        status,
        shownCount === 0 && !page.mayHaveMore
          ? 'No record fulfils this.'
          : `${plural(shownCount, 'record')}, the newest first${page.mayHaveMore ? '; there may be more' : ''}`,
      );
      fill(
        more,
        page.mayHaveMore && h('button', { type: 'button', onclick: () => void load(page.next) }, 'Show more'),
      );
    } catch (error) {
      fill(status, 'No result.');
      state.notice(error);
    }
  }

  void load();
  return { title: 'Audit trail', element };
}

/** @param {import('../../audit/audit-record.js').AuditRecord} entry */
function record(entry) {
  const { kind, timeMs, sessionHandle, userId, recipeUserId, tenantId } = entry;
  const label = h('b', {}, kindText(kind));
  return h(
    'li',
    { class: `tone-${toneOf(kind)}` },
    time(timeMs),
    sessionHandle === undefined
      ? label
      : h('a', { href: `#session?${new URLSearchParams({ sessionHandle })}` }, label),
    h(
      'span',
      { class: 'facts' },
      (userId ?? recipeUserId) !== undefined && outside(userId ?? recipeUserId, { class: 'user' }),
      tenantId !== undefined && tenantId !== 'public' && outside(tenantId),
      ...facts(entry),
    ),
  );
}
