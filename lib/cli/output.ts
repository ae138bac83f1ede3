import { styleText } from 'node:util';
import { hasColours } from '../doctor/main.js';
import { printable, UNPRINTABLE } from '../events/printable.js';
import type { CliIo } from './io.js';

/** The length of the longest text of a cell: a text of a client may have a megabyte. */
const MAX_TEXT_LENGTH = 200;
/** The narrowest column that a long text is cut to; in a narrower terminal each row becomes a block of lines. */
const MIN_WIDTH = 12;
const GAP = '  ';

const LINE_BREAK = '\n';
/** Characters that take two columns of a terminal: those of East Asia, and emoji. */
const WIDE =
  /^[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;
const graphemes = new Intl.Segmenter();

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  /** The text of a cell, which may come from anywhere; undefined: nothing. */
  read(row: Row): string | undefined;
  /** True for a text that is copied, such as a handle: it is never cut. */
  readonly isWhole?: boolean;
}

/** Returns a text from outside on one line, without anything that a terminal would obey. */
export function safeText(text: string): string {
  return printable(text, MAX_TEXT_LENGTH);
}

/** Returns a moment as text, to the second, in UTC. */
export function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return safeText(String(timeMs));
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

/** Returns a number with a separator of thousands. */
export function countText(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** Returns a duration in its largest unit. */
export function ageText(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
  ] as const;
  const [name, unitMs] = units.find(([, size]) => ms >= 2 * size) ?? (['s', 1000] as const);
  return `${Math.max(0, Math.floor(ms / unitMs))} ${name}`;
}

/** Returns rows as lines that fit the terminal. Each row becomes a block of lines if they cannot. */
export function tableText<Row>(columns: readonly Column<Row>[], rows: readonly Row[], io: CliIo): string {
  const cells = rows.map((row) => columns.map((column) => safeText(column.read(row) ?? '')));
  const used = columns
    .map((column, index) => ({ column, index }))
    .filter(({ index }) => cells.some((row) => row[index] !== ''));
  const wanted = used.map(({ column, index }) =>
    Math.max(...[column.title, ...cells.map((row) => row[index] ?? '')].map(terminalWidth)),
  );
  const widths = fit(
    wanted,
    used.map(({ column }) => column.isWhole === true),
    io.columns,
  );
  if (widths === undefined)
    return blocksText(
      used.map(({ column, index }) => [column.title, index]),
      cells,
    );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, place) => padded(text, widths[place] ?? 0))
      .join(GAP)
      .trimEnd();
  const head = line(used.map(({ column }) => column.title));
  const body = cells.map((row) => line(used.map(({ index }) => row[index] ?? '')));
  return `${[painted('bold', head, io), ...body].join('\n')}\n`;
}

/** Returns names and values below each other. */
export function factsText(facts: readonly (readonly [string, string | undefined])[], io: CliIo): string {
  const given = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined);
  const width = Math.max(...given.map(([name]) => name.length));
  return given
    .map(([name, value]) => `${painted('dim', name.padEnd(width), io)}${GAP}${safeText(value)}\n`)
    .join('');
}

/** Returns a value as one document of JSON. No character of it reaches the terminal as a command. */
export function jsonText(value: unknown): string {
  return `${safeJson(JSON.stringify(value, null, 2))}\n`;
}

/** Returns a value as one line of JSON. */
export function jsonLine(value: unknown): string {
  return `${safeJson(JSON.stringify(value))}\n`;
}

/** Adds a style where the output is a terminal that shows colours. */
export function painted(style: Parameters<typeof styleText>[0], text: string, io: CliIo): string {
  return hasColours(io) ? styleText(style, text, { validateStream: false }) : text;
}

/** Within the texts of JSON these characters may be written as escapes, and between them only line breaks occur. */
function safeJson(json: string): string {
  return json.replaceAll(UNPRINTABLE, (character) =>
    character === LINE_BREAK
      ? character
      : Array.from({ length: character.length }, (_, unit) => escaped(character.charCodeAt(unit))).join(''),
  );
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}

/** Returns the columns that a text takes in a terminal. */
export function terminalWidth(text: string): number {
  return Array.from(graphemes.segment(text), ({ segment }) => (WIDE.test(segment) ? 2 : 1)).reduce<number>(
    (sum, width) => sum + width,
    0,
  );
}

/** Makes the widest columns narrower until a line fits. @returns undefined where it cannot */
function fit(
  wanted: readonly number[],
  whole: readonly boolean[],
  terminal: number | undefined,
): readonly number[] | undefined {
  const widths = [...wanted];
  const total = (): number => widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
  const most = terminal ?? Number.POSITIVE_INFINITY;
  while (total() > most) {
    const widest = Math.max(...widths.filter((_, index) => whole[index] !== true), 0);
    if (widest <= MIN_WIDTH) return undefined;
    widths[widths.findIndex((width, index) => width === widest && whole[index] !== true)] = widest - 1;
  }
  return widths;
}

function padded(text: string, width: number): string {
  const own = terminalWidth(text);
  if (own <= width) return text + ' '.repeat(width - own);
  let [cut, left] = ['', width - 1];
  for (const { segment } of graphemes.segment(text)) {
    left -= terminalWidth(segment);
    if (left < 0) break;
    cut += segment;
  }
  return padded(`${cut}…`, width);
}

function blocksText(
  titles: readonly (readonly [string, number])[],
  cells: readonly (readonly string[])[],
): string {
  const blocks = cells.map((row) =>
    titles
      .filter(([, index]) => row[index] !== '')
      .map(([title, index]) => `${title}: ${row[index] ?? ''}\n`)
      .join(''),
  );
  return blocks.join('\n');
}
