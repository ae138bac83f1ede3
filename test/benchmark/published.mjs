import { readFileSync, writeFileSync } from 'node:fs';
import { compareRatios, comparisonCells } from './comparison.mjs';
import { machine, printTable } from './report.mjs';

const FILE = new URL('published.json', import.meta.url);
const read = () => JSON.parse(readFileSync(FILE, 'utf8'));

/** Puts a suite's ratios into `published.json`. The tables of README.md have to follow: a test compares the two. */
export function publish(suite, ratios) {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const measuredAt = `${new Date().toISOString().slice(0, 16)}Z`;
  const published = { ...read(), [suite]: { version, measuredAt, machine: machine(), ratios } };
  writeFileSync(FILE, `${JSON.stringify(published, null, 2)}\n`);
  console.log('\nWritten to test/benchmark/published.json: put the tables above into README.md beside it.');
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
