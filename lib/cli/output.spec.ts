import { describe, expect, it } from '@jest/globals';
import type { CliIo } from './io.js';
import { ageText, countText, jsonLine, jsonText, tableText, terminalWidth, type Column } from './output.js';

const io = (columns?: number): CliIo =>
  ({ columns, isTerminal: columns !== undefined, env: { NO_COLOR: '1' } }) as unknown as CliIo;

interface Row {
  readonly id: string;
  readonly name?: string;
}
const COLUMNS: readonly Column<Row>[] = [
  { title: 'ID', read: ({ id }) => id, isWhole: true },
  { title: 'NAME', read: ({ name }) => name },
];

describe('a table', () => {
  it('has columns as wide as their texts, and none that is empty in each row', () => {
    expect(tableText(COLUMNS, [{ id: '1', name: 'Ada' }, { id: '10' }], io())).toBe(
      'ID  NAME\n1   Ada\n10\n',
    );
    expect(tableText(COLUMNS, [{ id: '1' }], io())).toBe('ID\n1\n');
  });

  it('cuts texts until it fits, but no text that is copied', () => {
    const rows = [{ id: 'handle-1', name: 'a long name of somebody' }];
    expect(tableText(COLUMNS, rows, io(24))).toBe('ID        NAME\nhandle-1  a long name o…\n');
    expect(tableText(COLUMNS, rows, io(12))).toBe('ID: handle-1\nNAME: a long name of somebody\n');
  });

  it('counts the columns of a terminal: East Asian characters and emoji take two, combining marks none', () => {
    expect(terminalWidth('東京')).toBe(4);
    expect(terminalWidth('e\u0301')).toBe(1);
    expect(terminalWidth('👩‍👧')).toBe(2);
    const text = tableText(
      [COLUMNS[1], COLUMNS[0]] as Column<Row>[],
      [
        { id: '1', name: '東京' },
        { id: '2', name: 'abcd' },
      ],
      io(),
    );
    expect(text).toBe('NAME  ID\n東京  1\nabcd  2\n');
  });
});

describe('JSON', () => {
  it('escapes what a terminal would obey, and parses to the same value', () => {
    const value = { text: 'a\u001b[2J\u0085\u202E\u{E0001}\ud800\n' };
    for (const text of [jsonText(value), jsonLine(value)]) {
      expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}]/u);
      expect(JSON.parse(text)).toEqual(value);
    }
    expect(jsonLine(value).trimEnd()).not.toContain('\n');
  });
});

it('writes numbers and ages for people', () => {
  expect([countText(0), countText(1234567)]).toEqual(['0', '1,234,567']);
  expect([ageText(1500), ageText(3 * 60_000), ageText(49 * 3_600_000)]).toEqual(['1 s', '3 min', '2 d']);
});
