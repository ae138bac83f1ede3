// Ends sessions: asks for a reason, says how many it is about, and shows where the end holds.
import { act, CallError, read } from './calls.js';
import { field, fill, h, outside } from './dom.js';
import { countText, plural } from './texts.js';

/** @typedef {import('../session-overview.js').SessionSelection} Selection */

const CONFIRM_ABOVE = 1;
const WATCH_MS = 60_000;

/**
 * Opens the dialog.
 *
 * @param {{ title: string, about: import('./dom.js').Child, selection: Selection, withMoment?: boolean, after: (result: HTMLElement) => void }} input
 */
export function askToEnd({ title, about, selection, withMoment = false, after }) {
  const reason = h('input', {
    type: 'text',
    required: true,
    maxlength: 256,
    autocomplete: 'off',
    id: 'reason',
  });
  const moment = h('input', { type: 'datetime-local', required: true, id: 'moment', value: localNow() });
  const count = h('p', { class: 'quiet', role: 'status' });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const submit = h('button', { type: 'submit', class: 'danger' }, 'End');
  const form = h(
    'form',
    { method: 'dialog' },
    h('h2', { id: 'ending' }, title),
    h('p', {}, about),
    count,
    withMoment && field('Created before', moment),
    field('Reason, for the audit trail', reason),
    problem,
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'),
      submit,
    ),
  );
  const dialog = h('dialog', { 'aria-labelledby': 'ending' }, form);
  dialog.addEventListener('close', () => dialog.remove());
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void end();
  });

  async function end() {
    submit.disabled = true;
    fill(problem);
    const createdBeforeMs = withMoment ? new Date(moment.value).getTime() : undefined;
    try {
      const result = await act('actions/end', {
        ...selection,
        ...(withMoment && { createdBeforeMs }), // no moment becomes null, which is refused
        reason: reason.value,
      });
      dialog.close();
      const place = h('div', { class: 'card result', role: 'status', tabindex: '-1' });
      watchHolding(place, result);
      after(place);
      place.focus(); // the button that opened the dialog may be gone with its session
    } catch (error) {
      fill(problem, error instanceof CallError ? error.message : 'That has failed.');
      submit.disabled = false;
    }
  }

  document.body.append(dialog);
  dialog.showModal();
  reason.focus();
  if (selection.sessionHandle === undefined) void sayHowMany(count, selection, withMoment);
}

/** @param {HTMLElement} place @param {Selection} selection @param {boolean} withMoment */
async function sayHowMany(place, { userId, tenantId }, withMoment) {
  try {
    const { count, hasMore } = await read('data/count', { userId, tenantId });
    if (count > CONFIRM_ABOVE || hasMore) place.classList.add('warning');
    const found = `${hasMore ? 'More than ' : ''}${plural(count, 'session')} at present`;
    fill(place, withMoment ? `${found}, of any age; the older ones of them end` : found);
  } catch {
    fill(place, 'The number of sessions is not known.');
  }
}

/**
 * Shows which instances know of the end, until all do: an instance whose knowledge is younger refuses the sessions.
 *
 * @param {HTMLElement} place @param {{ ended: number | null, atMs: number }} result
 */
function watchHolding(place, { ended, atMs }) {
  const what =
    ended === null
      ? 'The end of all of them is written.'
      : ended === 0
        ? 'None was there to end.'
        : `${plural(ended, 'session')} ended.`;
  const untilMs = Date.now() + WATCH_MS;
  const list = h('ul', { class: 'holding' });
  const advice = h('p', { class: 'quiet' });
  fill(place, h('p', {}, h('b', {}, what)), list, advice);
  void look();

  async function look() {
    /** @type {Partial<import('./page.js').Summary>} */
    const { instances = [], areInstancesKnown: isKnown = false } = await read('data/instances').catch(
      () => ({}),
    );
    const holding = instances.filter(
      ({ feed }) => feed?.state !== 'none' && (feed?.knownUntilMs ?? 0) >= atMs,
    );
    fill(
      list,
      ...instances.map((instance) =>
        h(
          'li',
          { class: holding.includes(instance) ? 'tone-good' : 'tone-warn' },
          outside(instance.name),
          holding.includes(instance) ? ' refuses them' : ' may accept their access tokens yet',
        ),
      ),
    );
    const isWithoutFeed =
      isKnown && instances.every(({ feed }) => feed === undefined || feed.state === 'none');
    fill(
      advice,
      isWithoutFeed
        ? 'Without the option revocationFeed, access tokens that are out stay good until they expire; no refresh brings another.'
        : isKnown
          ? `${countText(holding.length)} of ${plural(instances.length, 'instance')}`
          : 'The other instances are not known at present.',
    );
    if (
      !isWithoutFeed &&
      (!isKnown || holding.length < instances.length) &&
      Date.now() < untilMs &&
      place.isConnected
    )
      setTimeout(() => void look(), 1000);
  }
}

function localNow() {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
