import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { SessionEvent } from 'nest-sessions';
import { AUDIT_KINDS } from '../../lib/audit/audit-record.js';
import { printable } from '../../lib/events/printable.js';

type Words = Readonly<Record<string, string>>;

const root = new URL('../../', import.meta.url);

/** The compiler finds a kind of event that is missing here. */
const EVENTS: Readonly<Record<SessionEvent['type'], true>> = {
  'session.created': true,
  'session.refreshed': true,
  'session.promoted': true,
  'session.grace-hit': true,
  'session.theft-detected': true,
  'session.claims-rejected': true,
  'session.reauthenticated': true,
  'session.hand-over-refused': true,
  'session.new-device': true,
  'session.revoked': true,
  'sessions.ended-before': true,
  'device.registered': true,
  'device.refreshed': true,
  'device.proof-refused': true,
  'device.skipped': true,
  'key.rotated': true,
  'revocations.state': true,
  'revocations.overflow': true,
  'core.unavailable': true,
  'core.available': true,
};

async function pageModule(name: string): Promise<unknown> {
  const file: string = new URL(`lib/dashboard/page/${name}`, root).pathname;
  return import(file);
}

async function pageTexts(): Promise<{ readonly KINDS: Words; readonly REFUSALS: Words }> {
  return (await pageModule('texts.js')) as { KINDS: Words; REFUSALS: Words };
}

describe('the words of the dashboard', () => {
  it('name each kind of event and of record, and no other', async () => {
    const { KINDS } = await pageTexts();
    const kinds = new Set([...Object.keys(EVENTS), ...AUDIT_KINDS]);
    expect(Object.keys(KINDS).toSorted()).toEqual([...kinds].toSorted());
  });

  it('name each refusal of the table of metrics, and no other', async () => {
    const { REFUSALS } = await pageTexts();
    const guide = readFileSync(new URL('docs/guides/observability.md', root), 'utf8');
    const row = /^\| `nest_sessions\.refusals`.*$/m.exec(guide)?.[0] ?? '';
    const refusals = [...row.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name);
    expect(Object.keys(REFUSALS).toSorted()).toEqual(refusals.toSorted());
  });
});

describe('a text from outside', () => {
  it('is spelled out on the page where a log line spells it out, character by character', async () => {
    const { shown } = (await pageModule('dom.js')) as { shown: (text: string) => string };
    const different: string[] = [];
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code);
      const inLog = printable(character, 2);
      if (inLog !== character && shown(character) !== inLog) different.push(inLog);
    }
    expect(different).toEqual([]);
  });
});
