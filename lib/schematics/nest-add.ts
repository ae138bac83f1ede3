import { accessSync, constants } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { join } from 'node:path';
import { mainInstructions, moduleInstructions, nextSteps } from './instructions.js';
import { addToMain } from './main-file.js';
import { addToModule, moduleAddition } from './module-file.js';
import {
  addPackages,
  assertNest,
  findApplication,
  hasSessions,
  readManifest,
  readText,
  type Application,
  type ProjectContext,
  type ProjectTree,
} from './project.js';
import { readSettings, type Settings } from './settings.js';
import type { Compiler } from './source-edit.js';
import { SQLITE_DRIVER, STORES } from './stores.js';

/** The parts of the machine that the schematic uses; tests replace them. */
export interface Machine {
  /** The application's own TypeScript; undefined if it has none that can be asked for a syntax tree. */
  loadCompiler(): Compiler | undefined;
  /** Whether this Node has SQLite. */
  readonly hasSqlite: boolean;
  /** @throws {Error} the file is there and may not be written */
  assertWritable(path: string): void;
}

const thisMachine: Machine = {
  loadCompiler() {
    try {
      const compiler = createRequire(join(process.cwd(), 'package.json'))('typescript') as Compiler;
      return typeof compiler.createSourceFile === 'function' ? compiler : undefined;
    } catch {
      // Without a compiler nothing is changed, and the instructions say what to add.
      return undefined;
    }
  },
  hasSqlite: isBuiltin('node:sqlite'),
  assertWritable(path) {
    try {
      accessSync(join(process.cwd(), path), constants.W_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  },
};

/**
 * The schematic of `nest add nest-sessions`: adds `SessionModule` and the guard to the application's module, CORS to the file that
 * starts it and the store's driver to package.json. A second run changes nothing; a file that it does not understand stays as
 * it is, and the text that it prints says what to add.
 *
 * @param options of the command; see schema.json
 * @returns a rule of `@angular-devkit/schematics`
 * @throws {Error} with one sentence for the user, before anything is written
 */
export function nestAdd(
  options: Readonly<Record<string, unknown>> = {},
  machine: Machine = thisMachine,
): (tree: ProjectTree, context: ProjectContext) => void {
  return (tree, context) => {
    const settings = readSettings(options);
    assertNest(readManifest(tree), tree);
    const application = findApplication(tree, settings.sourceRoot, settings.modulePath);
    if (hasSessions(tree, application.sourceRoot)) {
      context.logger.info('SessionModule is in this application already: nothing is changed.');
      return;
    }
    const changes = new Map<string, string>();
    const remarks = planFiles(tree, machine.loadCompiler(), { settings, application, changes });
    planPackages(tree, settings, machine, changes);
    write(tree, changes, machine);
    if (changes.has('package.json') && !settings.skipInstall) context.addTask(installation(tree));
    for (const remark of remarks) context.logger.warn(remark);
    context.logger.info(nextSteps(settings, application));
  };
}

interface Plan {
  readonly settings: Settings;
  readonly application: Application;
  /** The new texts by path. */
  readonly changes: Map<string, string>;
}

/** Plans the changes of the two files. @returns instructions for those that have to be changed by hand */
function planFiles(tree: ProjectTree, compiler: Compiler | undefined, plan: Plan): string[] {
  const { settings, application, changes } = plan;
  const remarks: string[] = [];
  const change = (
    path: string | undefined,
    edit: (found: string) => string | undefined,
    remark: string,
  ): void => {
    const text = path === undefined ? undefined : readText(tree, path);
    const edited = compiler === undefined || text === undefined ? undefined : edit(text);
    if (path === undefined || edited === undefined) remarks.push(remark);
    else if (edited !== text) changes.set(path, edited);
  };
  const addition = moduleAddition(settings, application);
  change(
    application.modulePath,
    (text) => compiler && addToModule(compiler, text, addition),
    moduleInstructions(application, addition),
  );
  change(
    application.mainPath,
    (text) => compiler && addToMain(compiler, text),
    mainInstructions(application),
  );
  return remarks;
}

function planPackages(
  tree: ProjectTree,
  { store }: Settings,
  { hasSqlite }: Machine,
  changes: Map<string, string>,
): void {
  const { dependencies = {}, devDependencies = {} } = STORES[store] ?? {};
  const driver = store === 'sqlite' && !hasSqlite ? SQLITE_DRIVER : {};
  const text = addPackages(readText(tree, 'package.json') ?? '{}', {
    dependencies: { ...dependencies, ...driver },
    devDependencies,
  });
  if (text !== undefined) changes.set('package.json', text);
}

/** Writes all files, or none if one of them is not to be written. */
function write(tree: ProjectTree, changes: ReadonlyMap<string, string>, machine: Machine): void {
  for (const path of changes.keys()) {
    try {
      machine.assertWritable(path);
    } catch (cause) {
      throw new Error(
        `nest-sessions may not write ${path}, and has changed nothing: allow it, and run the command again`,
        {
          cause,
        },
      );
    }
  }
  for (const [path, text] of changes) tree.overwrite(path, text);
}

/** The task that installs packages, by the name that schematics know it by. npm, pnpm and yarn are found by their lock files. */
function installation(tree: ProjectTree): Parameters<ProjectContext['addTask']>[0] {
  const bun = tree.exists('bun.lock') || tree.exists('bun.lockb') ? { packageManager: 'bun' } : {};
  return {
    toConfiguration: () => ({
      name: 'node-package',
      options: { command: 'install', quiet: true, hideOutput: true, allowScripts: false, ...bun },
    }),
  };
}
