import { describe, expect, it } from '@jest/globals';
import { importsOf, libSources, type LibSource } from './lib-sources.js';

/** The arrows of CONTRIBUTING.md: a file belongs to the first layer that matches its path. */
const FLOOR = ['options', 'errors', 'events', 'util', 'feed', 'audit'];
const NEIGHBOURS = ['claims', 'tokens', 'http', 'device-binding', 'delegation', 'core', 'stores', 'signals'];
const CORES = ['core/remote', 'core/server', 'core/embedded'];
const EDGE = ['rules', 'graphql', 'websocket', 'sse', 'edge'];

interface Layer {
  readonly name: string;
  readonly files: RegExp;
  readonly mayImport: readonly string[];
}

const LAYERS: readonly Layer[] = [
  {
    name: 'doors',
    files:
      /^lib\/(index|core\/index|standalone\/index|testing\/index|doctor\/index|verify\/index|integrations\/index|dashboard\/index)\.ts$/,
    mayImport: [
      'standalone',
      'testing',
      'doctor',
      'verify',
      'integrations',
      'dashboard',
      'wiring',
      ...EDGE,
      'sessions',
      ...NEIGHBOURS,
      ...CORES,
      ...FLOOR,
    ],
  },
  {
    name: 'testing',
    files: /^lib\/testing\//,
    mayImport: ['wiring', ...EDGE, 'sessions', ...NEIGHBOURS, ...CORES, ...FLOOR],
  },
  { name: 'verify', files: /^lib\/verify\//, mayImport: ['sessions', 'claims', 'tokens', 'http', ...FLOOR] },
  {
    name: 'standalone',
    files: /^lib\/standalone\//,
    mayImport: ['wiring', 'sessions', ...NEIGHBOURS, ...CORES, ...FLOOR],
  },
  {
    name: 'integrations',
    files: /^lib\/integrations\//,
    mayImport: ['wiring', ...EDGE, 'sessions', ...NEIGHBOURS, ...FLOOR],
  },
  {
    name: 'dashboard',
    files: /^lib\/dashboard\//,
    mayImport: ['wiring', ...EDGE, 'sessions', ...NEIGHBOURS, ...FLOOR],
  },
  {
    name: 'cli',
    files: /^lib\/cli\//,
    mayImport: ['doctor', 'wiring', 'sessions', ...NEIGHBOURS, ...CORES, ...FLOOR],
  },
  { name: 'doctor', files: /^lib\/doctor\//, mayImport: ['http', ...FLOOR] },
  { name: 'schematics', files: /^lib\/schematics\//, mayImport: [] },
  {
    name: 'wiring',
    files:
      /^lib\/([^/]+\.(module|providers|options)|core\/server\/([^/]+\.(module|gateway)|session-core-options)|sessions\/(session-runtime|session-functions|delegated-sessions|route-handlers|composition|startup-warnings|create-dependencies))\.ts$/,
    mayImport: [...EDGE, 'sessions', ...NEIGHBOURS, ...CORES, ...FLOOR],
  },
  ...['rules', 'graphql', 'websocket', 'sse'].map((name) => ({
    name,
    files: new RegExp(`^lib/${name}/`),
    mayImport: ['wiring', ...EDGE, 'sessions', ...NEIGHBOURS, ...FLOOR],
  })),
  { name: 'errors', files: /^lib\/errors\.ts$/, mayImport: FLOOR },
  {
    name: 'edge',
    files: /^lib\/[^/]+\.ts$/,
    mayImport: ['wiring', ...EDGE, 'sessions', ...NEIGHBOURS, ...FLOOR],
  },
  { name: 'sessions', files: /^lib\/sessions\//, mayImport: [...NEIGHBOURS, ...FLOOR] },
  { name: 'claims', files: /^lib\/claims\//, mayImport: FLOOR },
  { name: 'tokens', files: /^lib\/tokens\//, mayImport: FLOOR },
  { name: 'http', files: /^lib\/http\//, mayImport: ['tokens', ...FLOOR] },
  { name: 'device-binding', files: /^lib\/device-binding\//, mayImport: ['tokens', 'http', ...FLOOR] },
  { name: 'delegation', files: /^lib\/delegation\//, mayImport: FLOOR },
  { name: 'stores', files: /^lib\/stores\//, mayImport: FLOOR },
  { name: 'signals', files: /^lib\/signals\//, mayImport: ['tokens', ...FLOOR] },
  {
    name: 'core/embedded',
    files: /^lib\/core\/embedded\//,
    mayImport: ['core', 'stores', 'tokens', ...FLOOR],
  },
  { name: 'core/remote', files: /^lib\/core\/remote\//, mayImport: ['core', 'tokens', ...FLOOR] },
  { name: 'core/server', files: /^lib\/core\/server\//, mayImport: ['core', ...FLOOR] },
  { name: 'core', files: /^lib\/core\/[^/]+\.ts$/, mayImport: FLOOR },
  ...FLOOR.filter((name) => name !== 'errors').map((name) => ({
    name,
    files: new RegExp(`^lib/${name}/`),
    mayImport: FLOOR,
  })),
];

/** Imports outside the arrows, one by one: `from` is a folder or a file. */
const EXCEPTIONS: readonly { from: string; to: string; because: string }[] = [];

const EDGE_LAYERS = ['doors', 'testing', 'integrations', 'dashboard', 'wiring', ...EDGE];
const PACKAGES_EVERYWHERE = /^(node:|rxjs$)/;
// The constants are where Nest names its own metadata, and its handler of exceptions is where every filter is called.
const PACKAGES_AT_THE_EDGE =
  /^(@nestjs\/(common|core)|@nestjs\/common\/constants\.js|@nestjs\/core\/exceptions\/exceptions-handler\.js|reflect-metadata)$/;

/** Loaded when keys are needed, and by the door that runs on WebCrypto. */
const JOSE = ['lib/tokens/jose.ts', 'lib/tokens/web-runtime.ts'];

const sources = libSources();

function layerOf(path: string): Layer | undefined {
  return LAYERS.find((layer) => layer.files.test(path));
}

function mayImport(layer: Layer, path: string, target: string): boolean {
  const other = layerOf(target);
  return (
    (other !== undefined && (other.name === layer.name || layer.mayImport.includes(other.name))) ||
    EXCEPTIONS.some(({ from, to }) => path.startsWith(from) && to === target)
  );
}

function mayUsePackage(layer: Layer, name: string, isTypeOnly: boolean, path: string): boolean {
  if (PACKAGES_EVERYWHERE.test(name)) return true;
  if (name === 'jose' || name.startsWith('jose/')) {
    // By subpaths: the main door of jose would load its encryption, too.
    return layer.name === 'tokens' && (isTypeOnly || (JOSE.includes(path) && name !== 'jose'));
  }
  if (layer.name === 'schematics' && name === 'typescript') return isTypeOnly;
  if (name === 'tldts') return path === 'lib/options/public-suffix.ts';
  return EDGE_LAYERS.includes(layer.name)
    ? PACKAGES_AT_THE_EDGE.test(name)
    : name === '@nestjs/common' && isTypeOnly;
}

/** `importer -> target` of the imports that `isAllowed` refuses. */
function offences(
  files: readonly LibSource[],
  isAllowed: (importer: LibSource, target: string, isTypeOnly: boolean) => boolean,
): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter(({ target, isTypeOnly }) => !isAllowed(file, target, isTypeOnly))
      .map(({ target }) => `${file.path} -> ${target}`),
  );
}

/** Cycles among imports that exist at run time; types may refer to each other. */
function findCycles(): string[] {
  const graph = new Map(
    sources.map((file) => [
      file.path,
      importsOf(file).flatMap(({ target, isTypeOnly }) =>
        isTypeOnly || !target.startsWith('lib/') ? [] : [target],
      ),
    ]),
  );
  const finished = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    else if (!finished.has(path)) {
      for (const target of graph.get(path) ?? []) walk(target, [...trail, path]);
      finished.add(path);
    }
  };
  for (const path of graph.keys()) walk(path, []);
  return cycles;
}

describe('import directions in lib/', () => {
  it('knows the layer of every file', () => {
    expect(sources.map(({ path }) => path).filter((path) => !layerOf(path))).toEqual([]);
  });

  it.each(LAYERS.map((layer) => ({ layer, name: layer.name })))(
    'lets $name import only what lies below',
    ({ layer }) => {
      const files = sources.filter(({ path }) => layerOf(path) === layer);
      expect(
        offences(files, ({ path }, target) => !target.startsWith('lib/') || mayImport(layer, path, target)),
      ).toEqual([]);
    },
  );

  it('lets nobody import a door', () => {
    expect(offences(sources, (_, target) => layerOf(target)?.name !== 'doors')).toEqual([]);
  });

  it('speaks Nest at the edge only, and no other package but jose and rxjs: no Express, Fastify or driver', () => {
    const isAllowed = (importer: LibSource, target: string, isTypeOnly: boolean): boolean => {
      const layer = layerOf(importer.path);
      return (
        target.startsWith('lib/') ||
        (layer !== undefined && mayUsePackage(layer, target, isTypeOnly, importer.path))
      );
    };
    expect(offences(sources, isAllowed)).toEqual([]);
  });

  it('has no cycle', () => {
    expect(findCycles()).toEqual([]);
  });
});
