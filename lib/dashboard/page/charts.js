// Curves and bars, drawn as SVG at the width that there is.
import { fill, h, svg } from './dom.js';
import { clockText, countText } from './texts.js';

/** @typedef {{ label: string, values: readonly number[], tone: string }} Row */

const HEIGHT = 180;
const LEFT = 40;
const BOTTOM = 22;
const TOP = 8;

/**
 * @typedef {{ rows: readonly Row[], startMs: number, stepMs: number, steps: number, width: number }} Curves
 */

/**
 * A stacked bar for each step, with a legend that has the sums, and the numbers as a table. An update leaves the button of the numbers in
 * place, with the keyboard focus.
 *
 * @param {string} title @param {string} empty the sentence if all values are 0
 */
export function barChart(title, empty) {
  const drawing = h('div', {});
  const key = h('div', {});
  const numbers = numberTable(title);
  const element = h('figure', { class: 'chart' }, h('figcaption', {}, title), drawing, key, numbers.element);
  /** @param {Curves} curves */
  const update = (curves) => {
    const rows = curves.rows.filter(({ values }) => values.some((value) => value > 0));
    const used = { ...curves, rows };
    const sums = rows.map(({ label, values }) => `${label} ${countText(sum(values))}`).join(', ');
    fill(drawing, draw(used, `${title}: ${sums || empty}`));
    fill(key, rows.length === 0 ? h('p', { class: 'quiet' }, empty) : legend(rows));
    numbers.update(used);
  };
  return { element, update };
}

/** @param {Curves} curves @param {string} label */
function draw({ rows, startMs, stepMs, steps, width }, label) {
  const totals = Array.from({ length: steps }, (_, step) => sum(rows.map(({ values }) => values[step] ?? 0)));
  const top = niceTop(Math.max(...totals));
  const plot = { width: width - LEFT - 4, height: HEIGHT - TOP - BOTTOM };
  const y = (/** @type {number} */ value) => TOP + plot.height * (1 - value / top);
  const bar = plot.width / steps;
  const bars = rows.flatMap(({ values, tone }, index) =>
    values.flatMap((value, step) => {
      if (value === 0) return [];
      const below = sum(rows.slice(0, index).map((each) => each.values[step] ?? 0));
      const box = {
        x: LEFT + step * bar + bar * 0.1,
        width: Math.max(1, bar * 0.8),
        y: y(below + value),
        height: y(below) - y(below + value),
      };
      return [svg('rect', { ...box, class: `tone-${tone}` })];
    }),
  );
  const lines = [0, top / 2, top].map((value) =>
    svg(
      'g',
      {},
      svg('line', { x1: LEFT, x2: width - 4, y1: y(value), y2: y(value), class: 'grid' }),
      svg('text', { x: LEFT - 6, y: y(value) + 4, class: 'axis end' }, countText(value)),
    ),
  );
  const marks = [0, 0.5, 1].map((share) =>
    svg(
      'text',
      { x: LEFT + plot.width * share, y: HEIGHT - 4, class: `axis ${['start', 'middle', 'end'][share * 2]}` },
      clockText(startMs + stepMs * steps * share),
    ),
  );
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': label },
    ...lines,
    ...marks,
    ...bars,
  );
}

/** A small curve without axes. @param {readonly number[]} values @param {string} tone */
export function spark(values, tone) {
  const top = Math.max(1, ...values);
  const width = Math.max(values.length, 2) - 1;
  const points = values.map((value, step) => `${step},${30 - (28 * value) / top}`).join(' ');
  return svg(
    'svg',
    {
      viewBox: `0 0 ${width} 32`,
      class: `spark tone-${tone}`,
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
    },
    svg('polygon', { points: `0,32 ${points} ${width},32` }),
    svg('polyline', { points }),
  );
}

/** @param {readonly number[]} numbers */
export function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

/** @param {readonly Row[]} rows */
function legend(rows) {
  const items = rows.map(({ label, values, tone }) =>
    h('li', {}, h('span', { class: `key tone-${tone}` }), `${label} `, h('b', {}, countText(sum(values)))),
  );
  return h('ul', { class: 'legend' }, ...items);
}

/**
 * The numbers of a chart, below a button that opens them. While they are open, only another time span changes them, because somebody reads
 * them.
 *
 * @param {string} title
 */
function numberTable(title) {
  const region = h('div', {
    class: 'scroll',
    tabindex: '0',
    role: 'region',
    'aria-label': `${title}, numbers`,
  });
  const element = h('details', { hidden: true }, h('summary', {}, 'Numbers'), region);
  /** @type {Curves | undefined} */
  let latest;
  const show = () => {
    if (element.open && latest !== undefined) fill(region, table(latest));
  };
  element.addEventListener('toggle', show);
  /** @param {Curves} curves */
  const update = (curves) => {
    const isOtherSpan = curves.stepMs !== latest?.stepMs;
    latest = curves;
    element.hidden = curves.rows.length === 0;
    if (isOtherSpan) show();
  };
  return { element, update };
}

/** The steps in which something happened. @param {Curves} curves */
function table({ rows, startMs, stepMs, steps }) {
  const lines = Array.from({ length: steps }, (_, step) => step)
    .filter((step) => rows.some(({ values }) => (values[step] ?? 0) > 0))
    .map((step) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, clockText(startMs + step * stepMs)),
        ...rows.map(({ values }) => h('td', {}, countText(values[step] ?? 0))),
      ),
    );
  const heads = ['From', ...rows.map(({ label }) => label)];
  return h(
    'table',
    {},
    h('thead', {}, h('tr', {}, ...heads.map((head) => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, ...lines),
  );
}

/** A round number above all values. @param {number} most */
function niceTop(most) {
  if (!(most > 4)) return 4;
  const size = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 6, 8, 10].map((each) => each * size).find((each) => each >= most) ?? most;
}
