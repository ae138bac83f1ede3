import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as prettier from 'prettier';
import { compareRatios, comparisonCells } from './comparison.mjs';
import { costTable } from './cost-table.mjs';
import { machine, printTable, report } from './report.mjs';

const FILE = new URL('published.json', import.meta.url);
const BENCHMARKS = new URL('README.md', import.meta.url);
const README = new URL('../../README.md', import.meta.url);
const read = () => JSON.parse(readFileSync(FILE, 'utf8'));

/**
 * Publishes a run: its ratios and figures in `published.json`, all that it printed in README.md beside it, and what the README of
 * the package says of it. No table is written by hand.
 *
 * @param {string} suite
 * @param {{ ratios?: import('./comparison.mjs').Ratios, figures?: Readonly<Record<string, number>> }} measured
 */
export async function publish(suite, { ratios = {}, figures = {} }) {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const measuredAt = `${new Date().toISOString().slice(0, 16)}Z`;
  const published = { ...read(), [suite]: { version, measuredAt, machine: machine(), ratios, figures } };
  writeFileSync(FILE, `${JSON.stringify(published, null, 2)}\n`);
  await writeBlock(BENCHMARKS, `run of ${suite}`, asMarkdown(report()));
  await writeBlock(README, 'costs', costTable(published));
  console.log(
    '\nWritten to test/benchmark/published.json, to the README.md beside it and to that of the package.',
  );
}

/** Replaces what stands between the two comments of a block. */
async function writeBlock(file, name, content) {
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [before, rest] = text.split(begin);
  if (rest === undefined) throw new Error(`${file.pathname} has no comment ${begin}`);
  const after = rest.slice(rest.indexOf(end));
  const path = fileURLToPath(file);
  const options = { ...(await prettier.resolveConfig(path)), parser: 'markdown' };
  writeFileSync(file, await prettier.format(`${before}${begin}\n\n${content}\n\n${after}`, options));
}

/** The lines in front of the first table become one sentence. */
function asMarkdown(text) {
  const [setting, ...tables] = text.split('\n\n');
  const facts = setting.split('\n').map((line) => line.trim().replace(/ +/g, ' '));
  return [`\`${facts[0].replace('command ', '')}\`; ${facts.slice(1).join('; ')}.`, ...tables].join('\n\n');
}

/**
 * Prints a suite's ratios beside the published ones.
 *
 * @returns {boolean} whether those that are judged are within the tolerance, and none is missing
 */
export function compareWithPublished(suite, ratios, tolerancePercent) {
  const { version, measuredAt, machine: publishedOn, ratios: published } = read()[suite];
  const compared = compareRatios(published, ratios, tolerancePercent);
  printTable(
    `Ratios beside those of ${version}, ${measuredAt}, ${publishedOn}; fallen: by more than ${tolerancePercent} % beside crypto.verify`,
    ['', 'published', 'now', 'change', 'verdict'],
    compared.map(comparisonCells),
  );
  const bad = compared.filter(({ verdict }) => verdict === 'fallen' || verdict === 'missing').length;
  console.log(bad === 0 ? '\nNothing has fallen.' : `\nFallen or missing: ${bad}`);
  return bad === 0;
}
