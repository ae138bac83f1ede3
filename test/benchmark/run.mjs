// Runs one suite against the built library: `npm run build`, then `npm run benchmark -- <suite> [options]`. README.md
// tells how to read what it prints.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readComparisonOptions } from './comparison.mjs';
import { compareWithPublished, publish } from './published.mjs';
import { printLoad, printSetting } from './report.mjs';

/** Suites whose `run` returns `ratios`, which are compared, or `figures`. */
const WITH_RATIOS = ['verify'];
const PUBLISHED = [...WITH_RATIOS, 'http', 'refresh'];

const suites = readdirSync(new URL('suites/', import.meta.url)).map((file) => file.replace(/\.mjs$/, ''));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rows: { type: 'string' },
    store: { type: 'string' },
    part: { type: 'string' },
    by: { type: 'string' },
    adapter: { type: 'string' },
    publish: { type: 'boolean', default: false },
    compare: { type: 'boolean', default: false },
    tolerance: { type: 'string' },
  },
});
const [name] = positionals;
if (name === undefined || !suites.includes(name)) {
  console.error(`Name a suite: npm run benchmark -- <${suites.join(' | ')}> [--quick]`);
  process.exit(2);
}
const asked = comparisonAskedFor();
const { run } = await import(new URL(`suites/${name}.mjs`, import.meta.url).href);
printSetting();
const measured = await run(values);
printLoad('at the end');
if (asked.publish) await publish(name, measured);
if (asked.compare && !compareWithPublished(name, measured.ratios, asked.tolerancePercent))
  process.exitCode = 1;

function comparisonAskedFor() {
  try {
    return readComparisonOptions(
      values,
      WITH_RATIOS.includes(name) || (values.publish && PUBLISHED.includes(name)),
    );
  } catch (error) {
    console.error(error.message);
    process.exit(2);
  }
}
