import { isBuiltin } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';

/** The imports of a door from outside of the package: before anything is called, and by `import()` when it is needed. */
async function importsOfDoor(door: string): Promise<{ atOnce: string[]; later: string[] }> {
  const { metafile } = await build({
    entryPoints: [door],
    bundle: true,
    write: false,
    metafile: true,
    splitting: true,
    outdir: 'build/never-written',
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  const imports = Object.values(metafile.inputs).flatMap((file) => file.imports);
  const names = (kinds: readonly string[]): string[] => {
    const found = imports.filter(({ external, kind }) => external === true && kinds.includes(kind));
    const isOutside = (name: string): boolean => !isBuiltin(name) && name !== '<runtime>'; // esbuild's own
    return [...new Set(found.map(({ path }) => path))].filter(isOutside).toSorted();
  };
  return { atOnce: names(['import-statement', 'require-call']), later: names(['dynamic-import']) };
}

describe('nest-sessions/standalone', () => {
  it('loads jose, tldts and what Node has, and nothing of Nest', async () => {
    const { atOnce, later } = await importsOfDoor('lib/standalone/index.ts');
    expect(atOnce.filter((name) => !/^(jose\/.*|tldts)$/.test(name))).toEqual([]);
    expect(later).toEqual([]);
  });
});
