import { styleText } from 'node:util';
import type { Diagnosis } from './diagnose.js';
import type { Finding } from './finding.js';

const MARKS = { ok: '✓', warning: '!', error: '✗' } as const;
const COLOURS = { ok: 'green', warning: 'yellow', error: 'red' } as const;

/** Adds a style of a terminal to a text, or returns it unchanged. */
type Paint = (style: Parameters<typeof styleText>[0], text: string) => string;

/** Counts the findings of a level. */
export function countLevel(diagnosis: Diagnosis, level: Finding['level']): number {
  return diagnosis.findings.filter((finding) => finding.level === level).length;
}

/**
 * Formats a diagnosis as text for people, problems first.
 *
 * @param options.colour escape sequences of terminals; default false
 * @returns several lines, the last one with a line break
 * @publicApi
 */
export function formatDiagnosis(diagnosis: Diagnosis, options: { readonly colour?: boolean } = {}): string {
  const paint: Paint = options.colour === true ? paintAlways : (_style, text) => text;
  const lines = [
    paint('bold', `${diagnosis.api}, called from ${diagnosis.website}`),
    '',
    ...(['error', 'warning', 'ok'] as const).flatMap((level) =>
      diagnosis.findings
        .filter((finding) => finding.level === level)
        .flatMap((finding) => findingLines(finding, paint)),
    ),
    ...diagnosis.notChecked.map((what) => paint('dim', `- not checked: ${what}`)),
    '',
    paint(COLOURS[worstLevel(diagnosis)], summarise(diagnosis)),
    '',
  ];
  return lines.join('\n');
}

/** The caller decides on colours, so the checks of `styleText` for streams and NO_COLOR are switched off. */
const paintAlways: Paint = (style, text) => styleText(style, text, { validateStream: false });

function findingLines(finding: Finding, paint: Paint): string[] {
  const head = `${paint(COLOURS[finding.level], MARKS[finding.level])} ${finding.code}: ${finding.seen}`;
  if (finding.level === 'ok') return [head];
  return [head, `    ${paint('dim', 'why')} ${finding.why}`, `    ${paint('dim', 'fix')} ${finding.fix}`];
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
