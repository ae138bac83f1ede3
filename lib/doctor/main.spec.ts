import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { DiagnoseOptions, Diagnosis } from './diagnose.js';
import { error, ok, warning, type Finding } from './finding.js';
import { main } from './main.js';

const ADVICE = { why: 'because', fix: 'do this' };
const GOOD = ok('address.scheme', 'https');
const ODD = warning('cors.vary', 'no Vary', ADVICE);
const BAD = error('cookie.domain', 'a foreign domain', ADVICE);

function diagnosisOf(findings: readonly Finding[], isReachable = true): Diagnosis {
  const address = { api: 'https://api.shop.io/auth', website: 'https://shop.io' };
  return { ...address, isReachable, findings, notChecked: ['a sign-in'] };
}

/** Runs the command with an examination that finds `diagnosis`. */
async function run(
  argv: readonly string[],
  diagnosis = diagnosisOf([GOOD]),
  io: { isTerminal?: boolean; env?: Record<string, string> } = {},
) {
  const out = { stdout: '', stderr: '', asked: undefined as DiagnoseOptions | undefined };
  const code = await main(
    argv,
    {
      stdout: (text) => (out.stdout += text),
      stderr: (text) => (out.stderr += text),
      isTerminal: io.isTerminal ?? false,
      env: io.env ?? {},
    },
    async (options) => {
      out.asked = options;
      return diagnosis;
    },
  );
  return { ...out, code };
}

const DOCTOR = ['doctor', 'https://api.shop.io/auth'];

describe('nest-sessions doctor', () => {
  it.each([
    [[GOOD], 0],
    [[GOOD, ODD], 0],
    [[GOOD, ODD, BAD], 1],
  ])('ends by the worst finding: %#', async (findings, code) => {
    expect((await run(DOCTOR, diagnosisOf(findings))).code).toBe(code);
  });

  it('ends with 2 when no response arrives', async () => {
    expect((await run(DOCTOR, diagnosisOf([BAD], false))).code).toBe(2);
  });

  it('prints problems first, each with its reason and remedy, then what is well and what was left out', async () => {
    const { stdout, stderr } = await run(DOCTOR, diagnosisOf([GOOD, ODD, BAD]));
    expect(stderr).toBe('');
    expect(stdout).toBe(
      [
        'https://api.shop.io/auth, called from https://shop.io',
        '',
        '✗ cookie.domain: a foreign domain',
        '    why because',
        '    fix do this',
        '! cors.vary: no Vary',
        '    why because',
        '    fix do this',
        '✓ address.scheme: https',
        '- not checked: a sign-in',
        '',
        '1 error, 1 warning, 1 ok',
        '',
      ].join('\n'),
    );
  });

  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
  ])('colours on a terminal (%s) with %j: %s', async (isTerminal, env, hasColour) => {
    const { stdout } = await run(DOCTOR, diagnosisOf([BAD]), { isTerminal, env });
    expect(stdout.includes('\u001b[31m')).toBe(hasColour);
    expect(stdout.includes('\u001b')).toBe(hasColour);
  });

  it('prints the diagnosis as JSON, without colour', async () => {
    const diagnosis = diagnosisOf([GOOD, BAD]);
    const { stdout, code } = await run([...DOCTOR, '--json'], diagnosis, { isTerminal: true });
    expect(JSON.parse(stdout)).toEqual(diagnosis);
    expect(code).toBe(1);
  });

  it('hands its arguments on', async () => {
    const { asked } = await run([
      ...DOCTOR,
      '--website=https://shop.io',
      '--sign-in',
      'POST /login {"name":"Ada"}',
      '--header',
      'X-Proxy: one',
      '--header=authorization:Basic YTpi',
      '--timeout',
      '0.5',
    ]);
    expect(asked).toEqual({
      api: 'https://api.shop.io/auth',
      website: 'https://shop.io',
      signIn: 'POST /login {"name":"Ada"}',
      headers: { 'x-proxy': 'one', authorization: 'Basic YTpi' },
      timeoutMs: 500,
    });
    expect((await run(DOCTOR)).asked).toEqual({ api: 'https://api.shop.io/auth', headers: {} });
  });

  it('reads the sign-in from a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'doctor-'));
    const file = join(folder, 'sign-in.txt');
    writeFileSync(file, 'POST /login {"name":"Ada"}\n');
    try {
      expect((await run([...DOCTOR, '--sign-in', `@${file}`])).asked?.signIn).toContain('/login');
    } finally {
      rmSync(folder, { recursive: true });
    }
    const { code, stderr } = await run([...DOCTOR, '--sign-in', `@${file}`]);
    expect(code).toBe(2);
    expect(stderr).toContain('cannot be read');
  });

  it.each([[['--help']], [['-h']], [['doctor', '--help']]])('explains itself: %j', async (argv) => {
    const { stdout, code } = await run(argv);
    expect(stdout).toContain('Usage: npx nest-sessions doctor');
    expect(code).toBe(0);
  });

  it.each([[['--version']], [['-v']]])('says its version: %j', async (argv) => {
    const { stdout, code } = await run(argv);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
    expect(code).toBe(0);
  });

  it.each([
    [[], 'the command is missing: doctor <address>'],
    [['docter', 'https://api.shop.io'], 'this command is unknown; there is doctor'],
    [['doctor'], 'the address of the API is missing'],
    [[...DOCTOR, 'https://shop.io'], 'one address is expected, 2 were given'],
    [[...DOCTOR, '--sing-in', 'x'], '--sing-in'],
    [[...DOCTOR, '--website'], '--website'],
    [[...DOCTOR, '--header', 'no colon'], '--header is expected as name: value'],
    [[...DOCTOR, '--header', 'a: b\r\nc: d'], '--header is expected as name: value'],
    [[...DOCTOR, '--timeout', 'soon'], '--timeout is expected'],
    [[...DOCTOR, '--timeout', '0'], '--timeout is expected'],
  ])('refuses %j with 2', async (argv, message) => {
    const { code, stderr, stdout, asked } = await run(argv);
    expect({ code, stdout, asked }).toEqual({ code: 2, stdout: '', asked: undefined });
    expect(stderr).toContain(message);
  });

  it('does not take a fault of its own for a wrong argument', async () => {
    const io = { stdout: () => undefined, stderr: () => undefined, isTerminal: false, env: {} };
    const broken = async (): Promise<Diagnosis> => Promise.reject(new RangeError('a fault'));
    await expect(main(DOCTOR, io, broken)).rejects.toThrow('a fault');
  });
});
