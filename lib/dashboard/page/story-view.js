// The life of one session.
import { read } from './calls.js';
import { fill, h, outside, sessionLink } from './dom.js';
import { askToEnd } from './ending.js';
import { deviceFacts, oneSession } from './sessions-view.js';
import { durationText, kindText, time, toneOf } from './texts.js';

/** @typedef {import('../session-overview.js').TimelineEntry} Entry */

/** Events that the trail does not have; the others would be there twice. */
const ONLY_EVENTS = new Set([
  'session.refreshed',
  'session.grace-hit',
  'session.claims-rejected',
  'session.reauthenticated',
  'session.new-device',
  'device.registered',
  'device.refreshed',
  'device.proof-refused',
  'device.skipped',
]);

/** @param {URLSearchParams} argument @param {import('./page.js').State} state @returns {import('./page.js').View} */
export function storyView(argument, state) {
  const sessionHandle = argument.get('sessionHandle') ?? '';
  const result = h('div', {});
  const body = h('div', {}, h('p', { class: 'quiet' }, 'Looking…'));
  const element = h(
    'div',
    {},
    h('p', {}, h('a', { href: '#sessions' }, '← Sessions')),
    h('h1', {}, 'One session'),
    result,
    body,
  );

  async function load() {
    try {
      const story = await read('data/story', { sessionHandle });
      if (!body.isConnected) return;
      fill(body, ...content(story, end));
      state.notice(undefined);
    } catch (error) {
      if (!body.isConnected) return;
      fill(
        body,
        h(
          'div',
          { class: 'card empty' },
          h('p', {}, 'This page cannot show the session.'),
          h('p', {}, outside(sessionHandle)),
        ),
      );
      state.notice(error);
    }
  }

  /** @param {string} title @param {import('./dom.js').Child} about @param {import('./ending.js').Selection} selection */
  function end(title, about, selection) {
    askToEnd({
      title,
      about,
      selection,
      after: (place) => {
        fill(result, place);
        void load();
      },
    });
  }

  void load();
  return { title: 'One session', element, reload: () => void load() };
}

/**
 * @param {import('../session-overview.js').SessionStory & { events: import('./page.js').PageEvent[] }} story
 * @param {(title: string, about: import('./dom.js').Child, selection: import('./ending.js').Selection) => void} end
 */
function content({ session, timeline, isCut, events }, end) {
  const [first] = timeline ?? [];
  const handle = session?.sessionHandle ?? first?.sessionHandle ?? '';
  const userId =
    session?.userId ??
    timeline?.find((record) => record.userId !== undefined)?.userId ??
    first?.recipeUserId ??
    '';
  const ending = timeline?.findLast(({ kind }) => kind === 'session.revoked' || kind === 'session.expired');
  const theft = timeline?.some(({ kind }) => kind === 'session.theft-detected');
  const fact = (/** @type {string} */ label, /** @type {import('./dom.js').Child[]} */ ...values) =>
    h('div', {}, h('dt', {}, label), h('dd', {}, ...values));
  const only = events
    .filter(({ type }) => timeline === undefined || ONLY_EVENTS.has(type))
    .map((event) => ({ ...event, kind: event.type }));
  const entries = [...(timeline ?? []), .../** @type {Entry[]} */ (/** @type {unknown} */ (only))].sort(
    (a, b) => a.timeMs - b.timeMs || rank(a) - rank(b),
  );
  return [
    h(
      'section',
      { class: 'card', 'aria-label': 'Facts' },
      h(
        'div',
        { class: 'head' },
        h(
          'p',
          { class: 'state' },
          h('span', { class: `dot tone-${session ? 'good' : 'ended'}` }),
          session ? 'Live' : 'Ended',
          theft && h('strong', { class: 'badge' }, 'Theft detected'),
        ),
        h(
          'div',
          { class: 'buttons' },
          session &&
            h(
              'button',
              {
                type: 'button',
                class: 'danger',
                onclick: () => end('End this session', oneSession(session), { sessionHandle: handle }),
              },
              'End this session',
            ),
          userId !== '' &&
            h(
              'button',
              {
                type: 'button',
                class: 'danger',
                onclick: () =>
                  end(
                    'End all of this user',
                    h('span', {}, 'All sessions of ', outside(userId), ' in every tenant.'),
                    { userId },
                  ),
              },
              'End all of this user',
            ),
        ),
      ),
      h(
        'dl',
        {},
        fact('User', h('a', { href: `#sessions?${new URLSearchParams({ userId })}` }, outside(userId))),
        fact('Tenant', outside(session?.tenantId ?? first?.tenantId ?? '–')),
        fact('Signed in', time(session?.createdMs ?? first?.sessionCreatedAtMs)),
        session
          ? fact('Ends', time(session.expiresMs), h('span', { class: 'quiet' }, ' unless it is refreshed'))
          : fact('Ended', time(ending?.timeMs)),
        session
          ? fact('Device', ...deviceFacts(session.device))
          : fact(
              'Why',
              outside(ending?.reason ?? (ending?.kind === 'session.expired' ? 'its time was over' : '–')),
            ),
        session?.actorId !== undefined && fact('Used by', outside(session.actorId)),
        session?.parentSessionHandle !== undefined &&
          fact(
            'Ends with',
            sessionLink(session.parentSessionHandle, outside(session.parentSessionHandle, { class: 'mono' })),
          ),
        fact('Handle', outside(handle, { class: 'mono' })),
      ),
    ),
    h(
      'section',
      { class: 'card', 'aria-labelledby': 'life' },
      h('h2', { id: 'life' }, 'Its life'),
      isCut && h('p', { class: 'quiet' }, 'The oldest entries are left out.'),
      timeline === undefined &&
        h(
          'p',
          { class: 'quiet' },
          'The application keeps no audit trail (option audit), so only events of this instance are here.',
        ),
      entries.length === 0
        ? h('p', { class: 'empty' }, 'The page knows no event of this session.')
        : h(
            'ol',
            { class: 'timeline' },
            ...entries.map((entry, index) => timelineItem(entry, entries[index - 1])),
          ),
    ),
  ];
}

/** Of what happened in one millisecond, a sign-in comes first, and a refresh before the token that it brought. @param {Entry} entry */
function rank({ kind }) {
  return kind === 'session.created' ? 0 : ONLY_EVENTS.has(kind) ? 1 : 2;
}

/** @param {Entry} entry @param {Entry | undefined} before */
function timelineItem(entry, before) {
  return h(
    'li',
    { class: `tone-${toneOf(entry.kind)}` },
    h(
      'div',
      { class: 'head' },
      h('h3', {}, kindText(entry.kind)),
      h(
        'span',
        { class: 'quiet' },
        time(entry.timeMs),
        before && ` · ${durationText(entry.timeMs - before.timeMs)} later`,
      ),
    ),
    h('p', { class: 'facts' }, ...facts(entry)),
    entry.branches !== undefined && h('div', { class: 'branches' }, ...entry.branches.map(branch)),
  );
}

/** @param {Entry} entry */
export function facts({
  actorId,
  reason,
  initiator,
  ip,
  userAgent,
  names,
  createdBeforeMs,
  delivery,
  attempts,
  branches,
}) {
  const fact = (/** @type {string} */ label, /** @type {unknown} */ value) =>
    h('span', {}, h('span', { class: 'quiet' }, `${label} `), value instanceof Node ? value : outside(value));
  return [
    actorId !== undefined && fact('used by', actorId),
    reason !== undefined && fact('why', reason),
    initiator !== undefined && fact('by', initiator),
    userAgent !== undefined && branches === undefined && fact('on', userAgent),
    ip !== undefined && branches === undefined && fact('from', ip),
    names !== undefined && fact('names', names.join(', ')),
    createdBeforeMs !== undefined && fact('created before', time(createdBeforeMs)),
    delivery !== undefined && fact('to', delivery),
    attempts !== undefined && fact('attempts', attempts),
  ];
}

/** One side of a theft. @param {import('../theft-branches.js').TheftBranch} branch */
function branch({ name, token, parent, sinceMs, ip, userAgent }) {
  const isPresented = name === 'presented';
  return h(
    'div',
    { class: 'branch' },
    h('h4', {}, isPresented ? 'The old token came from' : 'The token in use belongs to'),
    h(
      'p',
      { class: 'client' },
      userAgent === undefined && ip === undefined
        ? 'a client that is not known'
        : outside([userAgent, ip].filter(Boolean).join(', ')),
    ),
    h(
      'p',
      { class: 'quiet' },
      'token ',
      outside(token, { class: 'mono' }),
      parent !== undefined && ' after ',
      parent !== undefined && outside(parent, { class: 'mono' }),
    ),
    sinceMs !== undefined && h('p', { class: 'quiet' }, 'in use since ', time(sinceMs)),
    h(
      'p',
      { class: 'quiet' },
      isPresented
        ? 'A retired token is a copy: of the user, or of the thief.'
        : 'One of the two is the user.',
    ),
  );
}
