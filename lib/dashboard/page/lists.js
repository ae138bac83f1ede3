// A list that is read page by page.
import { fill, h } from './dom.js';

/**
 * Returns a list's line about its state and its button for more, with the functions that read it. One page is asked for at a time; a page
 * that arrives after the list has begun anew, or after its view was left, is dropped.
 *
 * @template Item
 * @param {{
 *   list: HTMLElement,
 *   frame?: HTMLElement,
 *   read: (cursor: string | undefined) => Promise<{ items: readonly Item[], next: string | undefined }>,
 *   line: (item: Item) => HTMLElement,
 *   statusText: (count: number, hasMore: boolean) => string,
 *   state: import('./page.js').State,
 * }} input `frame`: hidden while the list is empty; `read` has the cursor of a page, or undefined for the first one
 */
export function pagedList({ list, frame = list, read, line, statusText, state }) {
  const status = h('p', { class: 'quiet', role: 'status' });
  const button = h('button', { type: 'button', hidden: true, onclick: () => !isLoading && look(next) });
  /** @type {string | undefined} */
  let next;
  let loads = 0;
  let isLoading = false;

  /** @param {string} [cursor] */
  async function load(cursor) {
    const number = ++loads;
    isLoading = true;
    try {
      const page = await read(cursor);
      if (isLate(number)) return;
      if (cursor === undefined) fill(list);
      list.append(...page.items.map(line));
      next = page.next;
      show(statusText(list.childElementCount, next !== undefined));
      state.notice(undefined);
    } catch (error) {
      if (isLate(number)) return;
      next = cursor;
      if (cursor === undefined) fill(list);
      show(cursor === undefined ? 'No result.' : statusText(list.childElementCount, true));
      state.notice(error);
    }
    isLoading = false;
  }

  /** @param {number} number */
  function isLate(number) {
    return number !== loads || !status.isConnected;
  }

  /** @param {string} text */
  function show(text) {
    const count = list.childElementCount;
    if (status.textContent !== text) fill(status, text);
    frame.hidden = count === 0;
    button.hidden = next === undefined;
    fill(button, count === 0 ? 'Look further' : 'Show more');
  }

  /** @param {string} [cursor] */
  function look(cursor) {
    fill(status, 'Looking…');
    void load(cursor);
  }

  return {
    status,
    more: h('div', { class: 'buttons' }, button),
    /** Reads the list from its beginning. */
    begin: () => look(),
    /** Repeats what has failed. */
    reload: () => {
      if (!isLoading) void load(next);
    },
  };
}
