/** The part of a schematic's tree that is used: the files of the application by their paths from its folder. */
export interface ProjectTree {
  exists(path: string): boolean;
  read(path: string): Uint8Array | null;
  overwrite(path: string, content: string): void;
  getDir(path: string): { visit(visitor: (path: string) => void): void };
}

/** The part of a schematic's context that is used. */
export interface ProjectContext {
  readonly logger: { info(message: string): void; warn(message: string): void };
  addTask(task: { toConfiguration(): { name: string; options: object } }): unknown;
}

/** The places of the application, as far as the schematic found them. */
export interface Application {
  readonly name: string;
  /** The folder of its sources, `src` in an application of its own. */
  readonly sourceRoot: string;
  /** The file that starts it; undefined if there is none. */
  readonly mainPath: string | undefined;
  readonly modulePath: string;
}

interface Manifest {
  readonly name?: unknown;
  readonly dependencies?: Readonly<Record<string, unknown>>;
  readonly devDependencies?: Readonly<Record<string, unknown>>;
}

const MANIFEST = 'package.json';
/** How a file creates the application; the first group is the module. */
const CREATION = /\bNestFactory\s*\.\s*create(?:<[^(]*>)?\s*\(\s*(\w+)/;

/** Returns the text of a file, without a byte order mark, or undefined if there is none. */
export function readText(tree: ProjectTree, path: string): string | undefined {
  const content = tree.exists(path) ? tree.read(path) : null;
  return content === null ? undefined : new TextDecoder().decode(content);
}

/** @throws {Error} there is no package.json, or it is no JSON object */
export function readManifest(tree: ProjectTree): Manifest {
  const text = readText(tree, MANIFEST);
  if (text === undefined)
    throw new Error(
      'nest-sessions found no package.json here: run the command in the folder of the application',
    );
  try {
    return JSON.parse(text) as Manifest;
  } catch (cause) {
    throw new Error(
      'nest-sessions cannot read package.json, because it is not valid JSON: correct it first',
      {
        cause,
      },
    );
  }
}

/** @throws {Error} this is no application of a Nest that the package works with */
export function assertNest(manifest: Manifest, tree: ProjectTree): void {
  const range = manifest.dependencies?.['@nestjs/core'] ?? manifest.devDependencies?.['@nestjs/core'];
  if (typeof range !== 'string')
    throw new Error(
      'nest-sessions found no @nestjs/core in package.json: run the command in the folder of a Nest application',
    );
  const installed = readText(tree, 'node_modules/@nestjs/core/package.json');
  const version = installed === undefined ? range : (JSON.parse(installed) as { version: string }).version;
  const major = /^\D*(\d+)/.exec(version)?.[1];
  if (major !== undefined && major !== '11' && major !== '12')
    throw new Error(
      `nest-sessions works with Nest 11 and 12, and this is @nestjs/core ${version}: update Nest first`,
    );
}

/**
 * Finds the files of the application.
 *
 * @param modulePath the option `module`, if it is given
 * @throws {Error} the file of its module is not there
 */
export function findApplication(
  tree: ProjectTree,
  sourceRoot: string,
  modulePath: string | undefined,
): Application {
  const mainPath = [`${sourceRoot}/main.ts`, 'main.ts'].find((path) => tree.exists(path));
  const found = modulePath ?? findModule(tree, mainPath) ?? `${sourceRoot}/app.module.ts`;
  if (!tree.exists(found)) {
    const places = modulePath === undefined ? `${mainPath ?? `${sourceRoot}/main.ts`} names none, and ` : '';
    throw new Error(
      `nest-sessions found no AppModule: ${places}there is no file ${found}; name the file with --module=<path>`,
    );
  }
  const { name } = readManifest(tree);
  return {
    name: typeof name === 'string' && name !== '' ? name : 'Application',
    sourceRoot,
    mainPath,
    modulePath: found,
  };
}

/** The file from which the main file imports the module that it starts, if that is there. */
function findModule(tree: ProjectTree, mainPath: string | undefined): string | undefined {
  const main = mainPath === undefined ? undefined : readText(tree, mainPath);
  const name = main === undefined ? undefined : CREATION.exec(main)?.[1];
  if (main === undefined || mainPath === undefined || name === undefined) return undefined;
  const importing = new RegExp(
    `import\\s*(?:type\\s*)?\\{[^}]*\\b${name}\\b[^}]*\\}\\s*from\\s*['"](\\.[^'"]*)['"]`,
  );
  const specifier = importing.exec(main)?.[1];
  if (specifier === undefined) return undefined;
  const path = new URL(`${specifier.replace(/\.js$/, '')}.ts`, `file:///${mainPath}`).pathname.slice(1);
  return tree.exists(path) ? path : undefined;
}

/** Whether a file below the sources has sessions already. */
export function hasSessions(tree: ProjectTree, sourceRoot: string): boolean {
  let isFound = false;
  tree.getDir(sourceRoot).visit((path) => {
    if (!path.endsWith('.ts') || path.includes('node_modules/') || isFound) return;
    isFound = /\bSessionModule\s*\.\s*(forRoot|forRootAsync)\b/.test(
      readText(tree, path.replace(/^\//, '')) ?? '',
    );
  });
  return isFound;
}

/**
 * Adds packages to package.json that it does not name.
 *
 * @returns the new text, or undefined if nothing is missing
 */
export function addPackages(
  text: string,
  packages: Readonly<Record<'dependencies' | 'devDependencies', Readonly<Record<string, string>>>>,
): string | undefined {
  const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
  const named = { ...manifest['dependencies'], ...manifest['devDependencies'] };
  let isChanged = false;
  for (const kind of ['dependencies', 'devDependencies'] as const) {
    for (const [name, range] of Object.entries(packages[kind])) {
      if (name in named) continue;
      const sorted = Object.entries({ ...manifest[kind], [name]: range }).toSorted(([a], [b]) =>
        a < b ? -1 : 1,
      );
      manifest[kind] = Object.fromEntries(sorted);
      isChanged = true;
    }
  }
  const indent = /^([ \t]+)"/m.exec(text)?.[1] ?? '  ';
  return isChanged ? `${JSON.stringify(manifest, null, indent)}\n` : undefined;
}
