import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { afterEach, describe, expect, it } from '@jest/globals';
import together from '../together/members.cjs';

const { ROOT, allSpecFiles, membersOf } = together;
const FOLDER = 'test/together';
const groups = readdirSync(FOLDER).filter((name) => name.endsWith('.spec.ts'));
const members = groups.flatMap((group) => membersOf(group));

/** The files that a run of jest takes of those that are selected, as paths from the root of the project. */
async function taken(...selected: string[]): Promise<string[]> {
  const { filtered } = await together(selected.map((file) => join(ROOT, file)));
  return filtered.map((file) => file.slice(ROOT.length).replaceAll('\\', '/'));
}

afterEach(() => {
  delete env['TEST_PART'];
});

describe('spec files that share a module registry', () => {
  it('are in one group each', () => {
    expect(members.length).toBeGreaterThan(200);
    expect(new Set(members).size).toBe(members.length);
    expect(groups.filter((group) => membersOf(group).length === 0 && !group.startsWith('variant-'))).toEqual(
      [],
    );
  });

  it('replace no modules and start no servers', () => {
    const apart = members.filter((file) =>
      /unstable_mockModule|startPostgres|startRedis/.test(readFileSync(file, 'utf8')),
    );
    expect(apart).toEqual([]);
  });

  it('run together where all of a group are selected, and else by themselves', async () => {
    const paths = groups.map((group) => `${FOLDER}/${group}`);
    const lib = membersOf('lib.spec.ts');
    const all = await taken(...paths, ...members, 'test/contract/redis-store.spec.ts');
    expect(all).toEqual([
      ...paths.filter((path) => !path.includes('variant-')),
      'test/contract/redis-store.spec.ts',
    ]);
    expect(await taken(...lib)).toEqual(lib);
    expect(await taken('test/together/lib.spec.ts', ...lib.slice(1))).toEqual(lib.slice(1));
    expect(await taken('test/together/lib.spec.ts')).toEqual(['test/together/lib.spec.ts']);
  });
});

describe('a whole run', () => {
  it('is npm test and npm run test:integration, each file in one of the two', async () => {
    const all = allSpecFiles();
    const unit = await taken(...all);
    env['TEST_PART'] = 'integration';
    const integration = await taken(...all);
    const run = [...unit, ...integration].flatMap((file) =>
      file.startsWith(FOLDER) ? [file, ...membersOf(file)] : [file],
    );
    const variants = all.filter((file) => file.startsWith(`${FOLDER}/variant-`));
    expect([...run, ...variants].toSorted()).toEqual(all);
    expect(integration).toContain('test/contract/redis-store.spec.ts');
  });
});
