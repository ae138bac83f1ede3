import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { importsOf, libSources } from './lib-sources.js';

interface Manifest {
  readonly name: string;
  readonly license?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly bundleDependencies?: readonly string[] | boolean;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

interface Reviewed {
  readonly licence: string;
  readonly because: string;
  /** Of a package whose data age: the version that is installed, and the day of its publication. */
  readonly version?: string;
  readonly published?: string;
}

const manifest = readJson<Manifest>('package.json');
const lock = readJson<{ packages: Record<string, LockedPackage> }>('package-lock.json').packages;

/** The dependencies that were reviewed and agreed to. A change of this file is a decision, and is to be reviewed as one. */
const reviewed = readJson<{
  installed: Record<string, Reviewed>;
  ofTheApplication: string[];
  optional: string[];
  licences: string[];
}>('test/structure/runtime-dependencies.json');

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** The names that come along with these, themselves included, by the lock file. */
function withTheirOwn(names: readonly string[], seen = new Set<string>()): string[] {
  for (const name of names.filter((each) => !seen.has(each))) {
    seen.add(name);
    withTheirOwn(Object.keys(lock[`node_modules/${name}`]?.dependencies ?? {}), seen);
  }
  return [...seen].sort();
}

/** The packages that are installed with this one, beyond what the application has anyway. */
const installed = withTheirOwn(Object.keys(manifest.dependencies ?? {}));

describe('the dependencies of the published package (S107)', () => {
  it('are the reviewed ones, each with its own', () => {
    expect(installed).toEqual(Object.keys(reviewed.installed).sort());
    expect(manifest.optionalDependencies ?? {}).toEqual({});
    expect(manifest.bundleDependencies ?? []).toEqual([]);
  });

  it('are used: one that nothing imports is a dependency too many', () => {
    const imported = new Set(libSources().flatMap((source) => importsOf(source).map(({ target }) => target)));
    const isImported = (name: string): boolean =>
      [...imported].some((target) => target === name || target.startsWith(`${name}/`));
    expect(Object.keys(manifest.dependencies ?? {}).filter((name) => !isImported(name))).toEqual([]);
  });

  it('are few: at most three packages', () => {
    expect(installed.length).toBeLessThanOrEqual(3);
  });

  it("are the application's own where it has them, and optional where only some need them", () => {
    const peers = Object.keys(manifest.peerDependencies ?? {});
    const optional = peers.filter((name) => manifest.peerDependenciesMeta?.[name]?.optional === true);
    expect(optional.sort()).toEqual(reviewed.optional);
    expect(peers.filter((name) => !optional.includes(name)).sort()).toEqual(reviewed.ofTheApplication);
    expect(Object.keys(manifest.peerDependenciesMeta ?? {}).sort()).toEqual(reviewed.optional);
  });

  it('have licences that an Apache-2.0 package can be used with', () => {
    const found = installed.map(
      (name) => [name, readJson<Manifest>(`node_modules/${name}/package.json`).license] as const,
    );
    expect(found.filter(([, licence]) => !reviewed.licences.includes(licence ?? 'none'))).toEqual([]);
    const named = Object.entries(reviewed.installed);
    expect(named.map(([name, { licence }]) => [name, licence])).toEqual(
      named.map(([name]) => [name, found.find(([each]) => each === name)?.[1]]),
    );
  });

  it('have a date where their data age, by which `npm run suffixes:age` warns of an old list', () => {
    const { version, published } = reviewed.installed['tldts'] ?? {};
    expect(version).toBe(lock['node_modules/tldts']?.version);
    expect(published).toMatch(/^20\d\d-\d\d-\d\d$/);
  });

  it('run nothing at installation, and neither does the package', () => {
    const atInstallation = [
      'preinstall',
      'install',
      'postinstall',
      'prepublish',
      'preprepare',
      'prepare',
      'postprepare',
    ];
    expect(atInstallation.filter((name) => manifest.scripts?.[name] !== undefined)).toEqual([]);
    expect(installed.filter((name) => lock[`node_modules/${name}`]?.hasInstallScript === true)).toEqual([]);
  });
});

describe('the lock file (S107)', () => {
  const entries = Object.entries(lock).filter(([path]) => path !== '');

  it('pins every package by version and content', () => {
    const loose = entries.filter(
      ([, { version, integrity }]) => version === undefined || !/^sha512-[\w+/]{86}==$/.test(integrity ?? ''),
    );
    expect(loose.map(([path]) => path)).toEqual([]);
  });

  it('names no host, folder or repository to fetch from', () => {
    const foreign = entries.filter(([, { resolved, link }]) => resolved !== undefined || link === true);
    expect(foreign.map(([path]) => path)).toEqual([]);
  });

  it('has what package.json asks for', () => {
    const root = lock[''];
    expect(root?.dependencies).toEqual(manifest.dependencies);
  });
});
