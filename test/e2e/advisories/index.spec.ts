import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(ROOT + path, 'utf8');

/** Rows that have no regression test yet; the list only ever gets shorter. */
const PENDING: readonly string[] = [];

interface Advisory {
  readonly id: string;
  readonly fault: string;
  readonly rows: readonly string[];
  readonly test: string;
}

/** The ids in a text; a number by itself belongs to the project named before it (`supertokens-website#68, #113`). */
function idsIn(text: string): string[] {
  let project = '';
  return [...text.matchAll(/CVE-\d{4}-\d+|GHSA(?:-\w{4}){3}|([A-Za-z][\w./-]*)?#(\d+)/g)].map(
    ([whole, name, issue]) => {
      if (issue === undefined) return whole;
      project = name ?? project;
      return `${project}#${issue}`;
    },
  );
}

const cellsOf = (line: string): string[] => line.split('|').map((cell) => cell.trim());

/** Advisory to rows, from the reference column of the requirements. */
function referenced(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of read('docs/security-requirements.md').split('\n')) {
    const [, row = '', , , reference = ''] = cellsOf(line);
    if (!/^S\d{3}$/.test(row)) continue;
    for (const id of idsIn(reference)) found.set(id, [...(found.get(id) ?? []), row]);
  }
  return found;
}

function listed(): Advisory[] {
  return read('docs/advisories.md')
    .split('\n')
    .map(cellsOf)
    .filter(([, id = '']) => idsIn(id).length === 1)
    .map(([, id = '', fault = '', rows = '', test = '']) => ({ id, fault, rows: rows.split(', '), test }));
}

describe('the advisories that the security requirements refer to (S119)', () => {
  const advisories = listed();
  const notApplicable = new Set(idsIn(read('docs/not-applicable.md')));

  it('are all listed, with what went wrong and the rows that name them (S119)', () => {
    const wanted = [...referenced()].filter(([id]) => !notApplicable.has(id));
    expect(advisories.map(({ id }) => id).toSorted()).toEqual(wanted.map(([id]) => id).toSorted());
    for (const [id, rows] of wanted) {
      const advisory = advisories.find((each) => each.id === id);
      expect([id, advisory?.rows]).toEqual([id, rows]);
      expect([id, (advisory?.fault ?? '').length > 10]).toEqual([id, true]);
    }
  });

  it('are each named with a test that exists (S119)', () => {
    const broken = advisories
      .filter(({ test }) => !test.startsWith('pending '))
      .filter(({ test }) => {
        const [file = '', title = ''] = test.split(/: (.*)/);
        return title === '' || !existsSync(ROOT + file) || !hasTitle(read(file), title);
      });
    expect(broken.map(({ id, test }) => `${id}: ${test}`)).toEqual([]);
  });

  it('are pending for no other rows than the list of pending ones (S119)', () => {
    const rows = advisories.flatMap(({ test }) => /^pending (S\d{3})$/.exec(test)?.[1] ?? []);
    expect([...new Set(rows)].toSorted()).toEqual(PENDING);
  });

  it('has regressions named by CVE and GHSA, except where the row has none yet (S119)', () => {
    const advisoriesOfOthers = advisories.filter(
      ({ id, test }) => !id.includes('#') && !test.startsWith('pending'),
    );
    const unnamed = advisoriesOfOthers.filter(
      ({ id, test }) => !read(test.split(': ')[0] ?? '').includes(id),
    );
    expect(unnamed.map(({ id }) => id)).toEqual([]);
  });
});

/** Whether the source has a test or a case of this title, in whichever quotes. */
function hasTitle(source: string, title: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(quote + title + quote));
}
