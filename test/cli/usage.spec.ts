import { describe, expect, it } from '@jest/globals';
import { shell } from '../support/shell.js';

const run = shell();

describe('the usage of nest-sessions', () => {
  it.each([
    [[], 'Usage: npx nest-sessions <command>'],
    [['sesions', 'list'], 'did you mean sessions list?'],
    [['session', 'list'], 'did you mean sessions list?'],
    [['sessions'], 'sessions needs a second word; there are sessions list, sessions show, sessions end'],
    [['doctr'], 'did you mean doctor?'],
    [['stats', '--stor', 'x'], 'did you mean --store?'],
    [['stats'], 'say where the sessions are'],
    [['stats', '--store', 'mysql://x'], '--store is expected as postgres://'],
    [['stats', '--store', 'sqlite:missing.db'], 'there is no file'],
    [['stats', '--store', 'sqlite:x', '--core', 'http://localhost'], 'give one of'],
    [['stats', 'more', '--store', 'sqlite:x'], '1 arguments were given; expected: none'],
    [['sessions', 'show'], 'an argument is missing; expected: <session handle>'],
    [['stats', '--config', 'missing.mjs'], 'there is no file'],
  ])('refuses %j with 2 and says what is expected', async (argv, message) => {
    const { code, stdout, stderr } = await run(...argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('repeats no text that may be an address with its password, or longer than a name', async () => {
    const address = 'postgres://ada:s3cret@db.example.com/shop';
    for (const argv of [[address, 'sessions', 'list'], ['sessions', address], ['x'.repeat(41)]]) {
      const { code, stderr } = await run(...argv);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^nest-sessions: this is no command; /);
      expect(stderr).not.toMatch(/s3cret|xxx/);
    }
  });

  it('explains itself and each of its commands', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    const names = [...stdout.matchAll(/^ {2}([a-z]+(?: [a-z]+)?)(?: [<[]| {2,}|$)/gm)].map(
      ([, name]) => name ?? '',
    );
    expect(names).toEqual(
      expect.arrayContaining(['sessions list', 'sessions end', 'stats', 'audit', 'doctor']),
    );
    for (const name of names) {
      const help = await run(...name.split(' '), '--help');
      expect(help.code).toBe(0);
      expect(help.stdout).toContain(`Usage: npx nest-sessions ${name}`);
      for (const line of help.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    }
  });

  it('says its version', async () => {
    const { code, stdout } = await run('--version');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\S*\n$/) as unknown,
    });
  });
});
