import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  compareRatios,
  comparisonCells,
  readComparisonOptions,
  type ComparisonOptions,
} from '../benchmark/comparison.mjs';
import { costTable } from '../benchmark/cost-table.mjs';
import { compareWithPublished } from '../benchmark/published.mjs';

// Made-up figures: nothing is measured here, and nothing depends on how busy the machine is.

const NAME = 'same: nest-sessions, verifier, of crypto.verify';
const SHOWN_ONLY = 'same: nest-sessions, verifier, of jose';

/** The outcome for one ratio. */
const compared = (published: number, measured: number, tolerancePercent = 25) =>
  compareRatios({ [NAME]: published }, { [NAME]: measured }, tolerancePercent)[0];

describe('ratios of a benchmark beside the published ones', () => {
  it.each<[published: number, measured: number, tolerance: number, verdict: string]>([
    [4, 4, 25, 'good'],
    [4, 8, 25, 'good'],
    [4, 3.01, 25, 'good'],
    [4, 3, 25, 'good'],
    [4, 2.99, 25, 'fallen'],
    [0.74, 0.5, 25, 'fallen'],
    [4, 3.9, 0, 'fallen'],
    [4, 4, 0, 'good'],
    [4, 2.1, 50, 'good'],
    [4, 0, 25, 'fallen'],
    [4, NaN, 25, 'fallen'],
  ])('published %d, now %d, may lose %d %%: %s', (published, measured, tolerance, verdict) => {
    expect(compared(published, measured, tolerance)).toMatchObject({ published, measured, verdict });
  });

  it('are only shown beside a peer that works on other threads', () => {
    const [shown] = compareRatios({ [SHOWN_ONLY]: 4 }, { [SHOWN_ONLY]: 1 }, 25);
    expect(shown && comparisonCells(shown)).toEqual([SHOWN_ONLY, '4.00', '1.00', '-75 %', '']);
  });

  it.each<[published: number, measured: number, change: string, verdict: string]>([
    [4, 5, '+25 %', 'good'],
    [4, 4, '+0 %', 'good'],
    [4, 3, '-25 %', 'good'],
    [226.46, 100, '-56 %', 'fallen'],
  ])('from %d to %d is shown as %s, %s', (published, measured, change, verdict) => {
    const [, ...cells] = comparisonCells({ name: NAME, verdict: '', ...compared(published, measured) });
    expect(cells).toEqual([published.toFixed(2), measured.toFixed(2), change, verdict]);
  });

  it('are told when they are not measured any more, and when they are new', () => {
    const result = compareRatios({ gone: 2, kept: 2 }, { new: 1, kept: 2 }, 25);
    expect(result.map(comparisonCells)).toEqual([
      ['gone', '2.00', '', '', 'missing'],
      ['kept', '2.00', '2.00', '+0 %', ''],
      ['new', '', '1.00', '', ''],
    ]);
  });
});

describe('the command line of a comparison', () => {
  const given = (options: Partial<ComparisonOptions>): ComparisonOptions => ({
    publish: false,
    compare: false,
    quick: false,
    ...options,
  });

  it('allows a quarter unless told otherwise', () => {
    expect(readComparisonOptions(given({ compare: true }), true).tolerancePercent).toBe(25);
    expect(readComparisonOptions(given({ compare: true, tolerance: '10' }), true).tolerancePercent).toBe(10);
  });

  it('asks for nothing by default, of any suite', () => {
    const nothing = { publish: false, compare: false };
    expect(readComparisonOptions(given({ quick: true, part: 'same' }), false)).toMatchObject(nothing);
  });

  it.each<[what: string, options: Partial<ComparisonOptions>, hasRatios: boolean]>([
    ['figures of --quick', { compare: true, quick: true }, true],
    ['publishing figures of --quick', { publish: true, quick: true }, true],
    ['publishing a part', { publish: true, part: 'same' }, true],
    ['comparing a part', { compare: true, part: 'same' }, true],
    ['both at once', { compare: true, publish: true }, true],
    ['a suite without ratios', { compare: true }, false],
    ['a tolerance of nothing', { tolerance: '10' }, true],
    ['a tolerance of everything', { compare: true, tolerance: '100' }, true],
    ['a tolerance that is no number', { compare: true, tolerance: 'some' }, true],
  ])('refuses %s', (_what, options, hasRatios) => {
    expect(() => readComparisonOptions(given(options), hasRatios)).toThrow(TypeError);
  });

  it('says so before anything is measured', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ['test/benchmark/run.mjs', 'verify', '--compare', '--quick'],
      { encoding: 'utf8' },
    );
    expect([status, stderr]).toEqual([
      2,
      '--publish and --compare take the whole suite: leave out --quick and --part\n',
    ]);
  });
});

describe('the costs that the README names', () => {
  const figures = {
    'fastify same cookie: ratio: nest-sessions': 0.849,
    'fastify same cookie: ratio: passport-jwt 4.0.1': 0.15,
    'express same cookie: ratio: express-session 1.19.0, memory': 0.66,
    'fastify same cookie: us over: nest-sessions': 5.4,
  };

  it('comes from the published figures, with the versions of the peers', () => {
    const table = costTable({ http: { figures }, verify: { figures: { 'same: us: nest-sessions': 0.49 } } });
    const [head, , fastify, express, cpu, , known] = table.split('\n');
    expect(head).toBe(
      '|  | nest-sessions | passport-jwt 4.0.1 | supertokens-node | express-session 1.19.0, memory |',
    );
    expect(fastify).toMatch(/ \| 85 % \| 15 % \|  \|  \|$/);
    expect(express).toMatch(/ \|  \|  \|  \| 66 % \|$/);
    expect(cpu).toMatch(/ \| 5 µs \|/);
    expect(known).toMatch(/ \| 0.49 µs \|/);
  });

  it('has a place for every run that is published', () => {
    const texts = ['README.md', 'test/benchmark/README.md']
      .map((file) => readFileSync(file, 'utf8'))
      .join('');
    for (const name of ['costs', 'run of http', 'run of refresh', 'run of verify'])
      expect(texts).toMatch(new RegExp(`<!-- ${name} -->[^]*<!-- end of ${name} -->`));
  });
});

describe('the published ratios', () => {
  const cellsOf = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''));

  /** The part of a table, by its first cell or by the line in front of it. */
  function partOf(title: string): string | undefined {
    if (/^one token, again and again/i.test(title)) return 'same';
    return /tokens, each of them once/.test(title) ? 'distinct' : undefined;
  }

  /** The ratios of ours in the tables of "Verification", by the names that `--publish` gives them. */
  function ratiosOfReadme(): Record<string, number> {
    const tables = readFileSync('test/benchmark/README.md', 'utf8').split(/\n\n+/);
    return Object.fromEntries(
      tables.flatMap((table, n) => {
        const [head, , ...rows] = table.split('\n').map(cellsOf);
        const part = head && partOf(head[0] || (tables[n - 1] ?? ''));
        if (part === undefined || head === undefined) return [];
        const ours = rows.filter(([name]) => name?.startsWith('nest-sessions'));
        return ours.flatMap((row) =>
          head.flatMap((column, i) =>
            column.startsWith('of ') ? [[`${part}: ${row[0]}, ${column}`, Number(row[i])]] : [],
          ),
        );
      }),
    );
  }

  const { verify } = JSON.parse(readFileSync('test/benchmark/published.json', 'utf8')) as {
    verify: { ratios: Record<string, number> };
  };
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('are printed beside those of today, with a verdict', () => {
    const printed: string[] = [];
    jest.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
    expect(compareWithPublished('verify', verify.ratios, 25)).toBe(true);
    expect(printed.at(-1)).toBe('\nNothing has fallen.');

    const before = verify.ratios[NAME] ?? 0;
    expect(compareWithPublished('verify', { ...verify.ratios, [NAME]: before / 2 }, 25)).toBe(false);
    expect(printed.at(-1)).toBe('\nFallen or missing: 1');
    const { [NAME]: _gone, ...others } = verify.ratios;
    expect(compareWithPublished('verify', others, 25)).toBe(false);
    const row = [NAME, before.toFixed(2), (before / 2).toFixed(2), '-50 %', 'fallen'];
    expect(printed.map(cellsOf)).toContainEqual(row);
  });

  it('of verification are those of its tables', () => {
    expect(Object.keys(verify.ratios)).toHaveLength(12);
    expect(verify.ratios).toEqual(ratiosOfReadme());
  });
});
