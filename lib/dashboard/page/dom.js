// Builds the page. A text becomes text and never markup: there is no other way in this file to put one in.

/** @typedef {Node | string | number | false | null | undefined} Child */

const SVG = 'http://www.w3.org/2000/svg';
const LONGEST = 300;
/** Characters that end a line, steer a terminal, reverse the reading direction, or are invisible. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Returns text from outside as one line that shows what is in it: at most so many characters, with those spelled out that cannot be seen.
 *
 * @param {unknown} text
 */
export function shown(text, longest = LONGEST) {
  const whole = typeof text === 'string' ? text : JSON.stringify(text ?? '');
  const short = whole
    .slice(0, longest)
    .replaceAll(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
  return whole.length > longest ? `${short}… (${whole.length.toLocaleString('en')} characters)` : short;
}

/**
 * Makes an element. Members of `props` are attributes, listeners (`onclick`), and `class`.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, props);
  element.append(...children.flatMap(toNode));
  return element;
}

/**
 * The same for SVG.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [props]
 * @param {...Child} children
 */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, props);
  element.append(...children.flatMap(toNode));
  return element;
}

/**
 * Text from outside, which is kept apart from the direction of the text around it.
 *
 * @param {unknown} text
 * @param {Record<string, unknown>} [props]
 */
export function outside(text, props = {}) {
  return h('bdi', { ...props, class: ['outside', props['class']].filter(Boolean).join(' ') }, shown(text));
}

/** @param {Element} parent @param {...Child} children */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flatMap(toNode));
}

/**
 * Shows these children and no others. Those that are there already stay in place, with the keyboard focus and the selection in them.
 *
 * @param {Element} parent @param {readonly Element[]} children in the same order as before
 */
export function arrange(parent, children) {
  const gone = [...parent.children].filter((child) => !children.includes(child));
  for (const child of gone) child.remove();
  for (const [index, child] of children.entries()) {
    const there = parent.children[index] ?? null;
    if (there !== child) parent.insertBefore(child, there);
  }
}

/** A control of a form, below its label. @param {string} label @param {HTMLElement} control with an id */
export function field(label, control) {
  return h('div', { class: 'field' }, h('label', { for: control.id }, label), control);
}

/** An input of a search. @param {string} id @param {string} name @param {string | null} value @param {string} [type] */
export function searchInput(id, name, value, type = 'text') {
  return h('input', { type, name, id, value, autocomplete: 'off', spellcheck: 'false' });
}

/** A link to the life of a session. @param {string} sessionHandle @param {...Child} children */
export function sessionLink(sessionHandle, ...children) {
  return h('a', { href: `#session?${new URLSearchParams({ sessionHandle })}` }, ...children);
}

/**
 * Puts what a form holds into the address of its view, which then begins anew.
 *
 * @param {HTMLFormElement} form @param {string} view its name in the address @param {() => void} again called where the address stays
 */
export function searchBy(form, view, again) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const given = [...new FormData(form)].flatMap(([name, value]) =>
      typeof value === 'string' && value.trim() !== '' ? [[name, value.trim()]] : [],
    );
    const next = given.length === 0 ? `#${view}` : `#${view}?${new URLSearchParams(given)}`;
    if (location.hash === next) again();
    else location.hash = next;
  });
}

/** @param {Element} element @param {Record<string, unknown>} props */
function apply(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false || value === null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(name, value === true ? '' : `${/** @type {string | number} */ (value)}`);
  }
}

/** @param {Child} child @returns {Node[]} */
function toNode(child) {
  if (child === false || child === null || child === undefined) return [];
  return [child instanceof Node ? child : document.createTextNode(String(child))];
}
