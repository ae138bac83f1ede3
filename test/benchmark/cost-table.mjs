// The table of the package's README, made from the published figures.

const PEERS = ['nest-sessions', 'passport-jwt', 'supertokens-node', 'express-session'];

const percent = (value) => `${(value * 100).toFixed(0)} %`;
const us = (value) => `${value.toFixed(value < 1 ? 2 : 0)} µs`;

/** Each row: its title, its suite, its figure without the name of the subject, and how the figure is written. */
const ROWS = [
  {
    title: 'throughput, as a share of the same Fastify app without a guard (cookies, 32 sessions)',
    suite: 'http',
    figure: 'fastify same cookie: ratio',
    show: percent,
  },
  { title: 'the same on Express', suite: 'http', figure: 'express same cookie: ratio', show: percent },
  {
    title: 'CPU over no guard, Fastify, by cookie',
    suite: 'http',
    figure: 'fastify same cookie: us over',
    show: us,
  },
  {
    title: 'CPU over no guard, Express, by cookie',
    suite: 'http',
    figure: 'express same cookie: us over',
    show: us,
  },
  { title: 'a token that was seen before, in process', suite: 'verify', figure: 'same: us', show: us },
  { title: 'a new token, in process', suite: 'verify', figure: 'distinct: us', show: us },
];

/**
 * @param {Record<string, { figures?: Readonly<Record<string, number>> }>} published by suites; a figure is named by what it says
 *   and the subject with its version: `fastify same cookie: ratio: passport-jwt 4.0.1`
 * @returns {string} a Markdown table; a figure that was not measured leaves its cell empty
 */
export function costTable(published) {
  const all = Object.values(published).flatMap(({ figures = {} }) => Object.keys(figures));
  const subjects = all.map((name) => name.slice(name.lastIndexOf(': ') + 2));
  const named = PEERS.map(
    (peer) => subjects.find((subject) => subject === peer || subject.startsWith(`${peer} `)) ?? peer,
  );
  const rows = ROWS.map(({ title, suite, figure, show }) => {
    const figures = published[suite]?.figures ?? {};
    return [title, ...named.map((subject) => cell(figures[`${figure}: ${subject}`], show))];
  });
  const lines = [['', ...named], ['', ...named].map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function cell(value, show) {
  return value === undefined ? '' : show(value);
}
