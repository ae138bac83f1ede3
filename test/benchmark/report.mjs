import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { median, middleHalf } from './measure.mjs';

const printed = [];

/** The output so far, as Markdown. */
export function report() {
  return printed.join('\n');
}

function print(line) {
  printed.push(line);
  console.log(line);
}

/** Prints what the figures depend on: command, time, machine and how busy it is. */
export function printSetting() {
  print(`command  npm run benchmark -- ${process.argv.slice(2).join(' ')}`);
  print(`date     ${new Date().toISOString().slice(0, 16)}Z`);
  print(`machine  ${machine()}`);
  printLoad('at the start');
}

/** Cores, their model, and the version of Node. */
export function machine() {
  const [model] = cpus();
  return `${cpus().length} x ${model?.model.trim()}, Node ${process.versions.node}`;
}

/** Prints the mean number of processes that wanted a core in the last minute. */
export function printLoad(when) {
  print(`load     ${loadavg()[0]?.toFixed(1)} ${when}`);
}

/** Prints rows as a Markdown table; the first column is text, the others are numbers. */
export function printTable(title, head, rows) {
  const all = [head, ...rows].map((cells) => cells.map(String));
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  print(`\n${title}\n`);
  for (const cells of [all[0], rule, ...all.slice(1)]) print(line(cells));
}

/** The median of rounds and, in brackets, the half of them that is nearest to it: `0.97 (0.95 to 0.98)`. */
export function withSpread(values, format) {
  const [low, high] = middleHalf(values).map(format);
  return `${format(median(values))} (${low} to ${high})`;
}

/** A package with the version that is installed. */
export function versioned(name) {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(file, 'utf8')).version}`;
}

/** Milliseconds with three digits that count. */
export function ms(value) {
  return value.toFixed(value < 1 ? 3 : 2);
}

/** Milliseconds shown as microseconds, with three digits that count. */
export function microseconds(valueMs) {
  const value = valueMs * 1000;
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
