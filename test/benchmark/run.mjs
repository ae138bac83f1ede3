// Runs one suite against the built library: `npm run build`, then `npm run benchmark -- <suite> [options]`. README.md
// tells how to read what it prints.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { printLoad, printSetting } from './report.mjs';

const suites = readdirSync(new URL('suites/', import.meta.url)).map((file) => file.replace(/\.mjs$/, ''));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rows: { type: 'string' },
    store: { type: 'string' },
    part: { type: 'string' },
  },
});
const [name] = positionals;
if (name === undefined || !suites.includes(name)) {
  console.error(`Name a suite: npm run benchmark -- <${suites.join(' | ')}> [--quick]`);
  process.exit(2);
}
const { run } = await import(new URL(`suites/${name}.mjs`, import.meta.url).href);
printSetting();
await run(values);
printLoad('at the end');
