import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { FINDING_CODES } from '../../lib/doctor/finding.js';

describe('the guide to the doctor', () => {
  it('explains every code that a finding can have, in their order, and no other', () => {
    const guide = readFileSync('docs/guides/doctor.md', 'utf8');
    const explained = [...guide.matchAll(/^\| `([a-z-]+\.[a-z-]+)`/gm)].map(([, code]) => code);
    expect(explained).toEqual(FINDING_CODES);
  });
});
