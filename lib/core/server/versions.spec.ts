import { describe, expect, it } from '@jest/globals';
import { CDI_VERSIONS, compareVersions, refuseVersion, unstatedVersion, versionsOf } from './cdi-router.js';

describe('the version that a call asks for', () => {
  it.each([undefined, ...CDI_VERSIONS])('is served: %s', (version) => {
    expect(refuseVersion(version, CDI_VERSIONS, true)).toBeUndefined();
  });

  it.each([
    ['abc', 'cdi-version header is invalid'],
    ['', 'cdi-version header is invalid'],
    ['5.', 'cdi-version header is invalid'],
    ['5.4 ', 'cdi-version header is invalid'],
    ['<script>', 'cdi-version header is invalid'],
    ['5.7', 'cdi-version 5.7 not supported'],
    ['5.4.0', 'cdi-version 5.4.0 not supported'],
    ['5', 'cdi-version 5 not supported'],
    ['9'.repeat(400), `cdi-version ${'9'.repeat(400)} not supported`],
    ['4.0', 'cdi-version 4.0 is lower than the minimum allowed version 5.0'],
    ['2.21', 'cdi-version 2.21 is lower than the minimum allowed version 5.0'],
  ])('is refused: %j (C147-C150)', (version, refusal) => {
    expect(refuseVersion(version, CDI_VERSIONS, true)).toBe(refusal);
  });

  it('may be any in the range where no list is asked for', () => {
    expect(refuseVersion('5.2', ['5.0', '5.4'], false)).toBeUndefined();
    expect(refuseVersion('5.2', ['5.0', '5.4'], true)).toBe('cdi-version 5.2 not supported');
  });

  it('is the newest before 5.6 where the call names none, so that such callers keep what they had', () => {
    expect(unstatedVersion(CDI_VERSIONS)).toBe('5.5');
    expect(unstatedVersion(['5.0', '5.4', '5.6'])).toBe('5.4');
    expect(unstatedVersion(['5.6'])).toBe('5.6');
  });

  it('is 5.6 only at a core that rotates at once', () => {
    expect(versionsOf({ canRotateAtOnce: true })).toEqual(CDI_VERSIONS);
    expect(versionsOf({ canRotateAtOnce: false })).toEqual(['5.0', '5.1', '5.2', '5.3', '5.4', '5.5']);
  });

  it('is compared number by number', () => {
    expect(compareVersions('5.10', '5.9')).toBeGreaterThan(0);
    expect(compareVersions('5.4', '5.4.0')).toBe(0);
    expect(['5.10', '2.21', '5.9', '3.0'].sort(compareVersions)).toEqual(['2.21', '3.0', '5.9', '5.10']);
  });
});
