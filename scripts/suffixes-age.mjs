// Says how old the public suffix list is that tldts contains. It decides which hosts are one site, and grows each month. The date of
// the installed version is in test/structure/runtime-dependencies.json, so that no registry is asked. Above WARN_DAYS there is a
// warning; with `--strict`, as before a release, FAIL_DAYS end it with code 1.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { root } from './packed.mjs';

const WARN_DAYS = 90;
const FAIL_DAYS = 180;
const DAY_MS = 86_400_000;

const { installed } = JSON.parse(
  readFileSync(join(root, 'test/structure/runtime-dependencies.json'), 'utf8'),
);
const { version, published } = installed.tldts;
const days = Math.floor((Date.now() - Date.parse(published)) / DAY_MS);
const text = `tldts ${version} with its list of public suffixes is ${days} days old`;
const remedy =
  'npm update tldts, then write version and date (npm view tldts time) to test/structure/runtime-dependencies.json';

if (days > FAIL_DAYS && argv.includes('--strict')) {
  console.error(`suffixes-age: ${text}, at most ${FAIL_DAYS} are allowed: ${remedy}`);
  process.exitCode = 1;
} else if (days > WARN_DAYS) console.warn(`suffixes-age: WARNING: ${text}: ${remedy}`);
else console.log(`suffixes-age: ${text}`);
