import { stripVTControlCharacters } from 'node:util';
import type { Diagnosis } from './diagnose.js';
import type { Finding } from './finding.js';

const MARKS = { ok: '✓', warning: '!', error: '✗' } as const;
const COLOURS = { ok: 32, warning: 33, error: 31 } as const;
const BOLD = 1;
const DIM = 2;

/** How many findings of a level there are. */
export function countLevel(diagnosis: Diagnosis, level: Finding['level']): number {
  return diagnosis.findings.filter((finding) => finding.level === level).length;
}

/**
 * A diagnosis as text for people, problems first.
 *
 * @param options.colour escape sequences of terminals; default false
 * @returns several lines, the last one with a line break
 * @publicApi
 */
export function formatDiagnosis(diagnosis: Diagnosis, options: { readonly colour?: boolean } = {}): string {
  const paint = (text: string, style: number): string => `\u001b[${style}m${text}\u001b[0m`;
  const lines = [
    paint(`${diagnosis.api}, called from ${diagnosis.website}`, BOLD),
    '',
    ...(['error', 'warning', 'ok'] as const).flatMap((level) =>
      diagnosis.findings
        .filter((finding) => finding.level === level)
        .flatMap((finding) => findingLines(finding, paint)),
    ),
    ...diagnosis.notChecked.map((what) => paint(`- not looked at: ${what}`, DIM)),
    '',
    paint(summarise(diagnosis), COLOURS[worstLevel(diagnosis)]),
    '',
  ];
  const text = lines.join('\n');
  return options.colour === true ? text : stripVTControlCharacters(text);
}

function findingLines(finding: Finding, paint: (text: string, style: number) => string): string[] {
  const head = `${paint(MARKS[finding.level], COLOURS[finding.level])} ${finding.code}: ${finding.seen}`;
  if (finding.level === 'ok') return [head];
  return [head, `    ${paint('why ', DIM)} ${finding.why}`, `    ${paint('mend', DIM)} ${finding.mend}`];
}

function summarise(diagnosis: Diagnosis): string {
  return [
    counted(countLevel(diagnosis, 'error'), 'error'),
    counted(countLevel(diagnosis, 'warning'), 'warning'),
    `${countLevel(diagnosis, 'ok')} ok`,
  ].join(', ');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function worstLevel(diagnosis: Diagnosis): Finding['level'] {
  if (countLevel(diagnosis, 'error') > 0) return 'error';
  return countLevel(diagnosis, 'warning') > 0 ? 'warning' : 'ok';
}
