import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { nestAdd, type Machine } from './nest-add.js';
import type { ProjectTree } from './project.js';
import { STORES, SQLITE_DRIVER } from './stores.js';

const MANIFEST = {
  name: 'shop',
  dependencies: { '@nestjs/common': '^11.0.1', '@nestjs/core': '^11.0.1', rxjs: '^7.8.1' },
  devDependencies: { typescript: '^5.7.3' },
};
const MAIN = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env.PORT ?? 3000);
}
bootstrap();
`;
const MODULE = `import { Module } from '@nestjs/common';
import { AppController } from './app.controller';

@Module({
  imports: [],
  controllers: [AppController],
})
export class AppModule {}
`;
const STARTER = {
  'package.json': `${JSON.stringify(MANIFEST, null, 2)}\n`,
  'src/main.ts': MAIN,
  'src/app.module.ts': MODULE,
};
const MACHINE: Machine = {
  loadCompiler: () => ts,
  hasSqlite: true,
  assertWritable: () => undefined,
};

/** The files of an application, as the tree of a schematic; `npm run test:consumers` runs the schematic on a real one. */
class MemoryTree implements ProjectTree {
  constructor(private readonly texts: Map<string, string>) {}

  exists(path: string): boolean {
    return this.texts.has(path);
  }

  read(path: string): Uint8Array | null {
    const text = this.texts.get(path);
    return text === undefined ? null : Buffer.from(text);
  }

  readText(path: string): string {
    return this.texts.get(path) ?? '';
  }

  overwrite(path: string, content: string): void {
    this.texts.set(path, content);
  }

  getDir(folder: string): { visit(visitor: (path: string) => void): void } {
    return {
      visit: (visitor) => {
        for (const path of this.texts.keys()) if (path.startsWith(`${folder}/`)) visitor(`/${path}`);
      },
    };
  }
}

interface Outcome {
  readonly files: Readonly<Record<string, string>>;
  readonly tree: MemoryTree;
  readonly printed: string;
  readonly warnings: readonly string[];
  readonly tasks: readonly { name: string; options: object }[];
}

interface Run {
  readonly files?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly machine?: Partial<Machine>;
  readonly tree?: MemoryTree;
}

/** Runs the schematic on a tree of files, the starter's by default. */
function add({ files = STARTER, options = {}, machine = {}, tree = treeWith(files) }: Run = {}): Outcome {
  const printed: string[] = [];
  const warnings: string[] = [];
  const tasks: { name: string; options: object }[] = [];
  nestAdd(options, { ...MACHINE, ...machine })(tree, {
    logger: { info: (text) => void printed.push(text), warn: (text) => void warnings.push(text) },
    addTask: (task) => tasks.push(task.toConfiguration()),
  });
  const contents = Object.keys(files).map((path) => [path, tree.readText(path)] as const);
  return { files: Object.fromEntries(contents), tree, printed: printed.join('\n'), warnings, tasks };
}

function treeWith(files: Readonly<Record<string, string>>): MemoryTree {
  return new MemoryTree(new Map(Object.entries(files)));
}

const withModule = (text: string): Record<string, string> => ({ ...STARTER, 'src/app.module.ts': text });
const withMain = (text: string): Record<string, string> => ({ ...STARTER, 'src/main.ts': text });

describe('nest add nest-sessions', () => {
  it('adds the module with the guard, and leaves the rest as it is', () => {
    expect(add().files['src/app.module.ts']).toBe(`import { Module } from '@nestjs/common';
import { AppController } from './app.controller';
import { SessionModule } from 'nest-sessions';

@Module({
  imports: [
    SessionModule.forRoot({
      // Every route needs a session, but for those with @PublicAccess().
      guard: 'global',
      appInfo: {
        appName: 'shop',
        apiDomain: process.env.API_DOMAIN ?? 'http://localhost:3000',
        websiteDomain: process.env.WEBSITE_DOMAIN ?? 'http://localhost:3000',
      },
    }),
  ],
  controllers: [AppController],
})
export class AppModule {}
`);
  });

  it('adds CORS with credentials for the website, and shutdown hooks, to the file that starts the application', () => {
    expect(add().files['src/main.ts']).toContain(`  const app = await NestFactory.create(AppModule);
  app.enableCors(
    sessionCorsOptions({
      origins: [process.env.WEBSITE_DOMAIN ?? 'http://localhost:3000'],
    }),
  );
  app.enableShutdownHooks();
  await app.listen(`);
    expect(add().files['src/main.ts']).toContain(`import { sessionCorsOptions } from 'nest-sessions';\n`);
  });

  it('changes nothing at the second run', () => {
    const first = add({ options: { store: 'postgres' } });
    const second = add({ tree: first.tree, options: { store: 'redis' } });
    expect(second.files).toEqual(first.files);
    expect(second.printed).toBe('SessionModule is in this application already: nothing is changed.');
    expect(second.tasks).toEqual([]);
  });

  it('finds sessions that another module of the application has', () => {
    const files = { ...STARTER, 'src/auth/auth.module.ts': 'SessionModule.forRootAsync({})' };
    expect(add({ files }).files).toEqual(files);
  });

  it('prints how to sign in, for the guard that was chosen', () => {
    expect(add().printed).toContain('@PublicAccess()\n  @Post');
    const { printed, files } = add({ options: { guard: 'route' } });
    expect(printed).toContain('@UseGuards(SessionGuard)\n  me(');
    expect(files['src/app.module.ts']).not.toContain('guard:');
  });
});

describe('the store', () => {
  it.each([
    ['sqlite', `core: embeddedCore({ store: sqliteStore('sessions.db') }),`, {}],
    ['postgres', 'new Pool({ connectionString: process.env.DATABASE_URL }),', { pg: '^8.23.1' }],
    ['redis', 'createClient({ url: process.env.REDIS_URL', { redis: '^5.12.1' }],
  ])('%s is in the module, its driver in package.json, and installed', (store, core, driver) => {
    const { files, tasks } = add({ options: { store } });
    expect(files['src/app.module.ts']).toContain(core);
    expect(errorsOf(files['src/app.module.ts'])).toEqual([]);
    const { dependencies } = JSON.parse(files['package.json'] ?? '') as typeof MANIFEST;
    expect(dependencies).toEqual({ ...MANIFEST.dependencies, ...driver });
    expect(tasks.map(({ name }) => name)).toEqual(store === 'sqlite' ? [] : ['node-package']);
  });

  it('sqlite needs a driver where Node has none', () => {
    const { files } = add({ options: { store: 'sqlite' }, machine: { hasSqlite: false } });
    expect(files['package.json']).toContain('"libsql": "^0.5.29"');
  });

  it('has the driver in the version that the tests of the package use', () => {
    const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    const drivers = Object.values(STORES).map(({ dependencies, devDependencies: types }) => ({
      ...dependencies,
      ...types,
    }));
    const named = Object.assign({}, SQLITE_DRIVER, ...drivers) as Record<string, string>;
    expect(named).toEqual(
      Object.fromEntries(Object.keys(named).map((name) => [name, devDependencies[name]])),
    );
  });

  it('leaves a driver that is there in its version, and the installation to whoever asks for that', () => {
    const files = {
      ...STARTER,
      'package.json': JSON.stringify({
        ...MANIFEST,
        dependencies: { ...MANIFEST.dependencies, pg: '8.0.0' },
      }),
    };
    expect(add({ files, options: { store: 'postgres' } }).files['package.json']).toContain('"pg": "8.0.0"');
    expect(add({ options: { store: 'postgres', skipInstall: true } }).tasks).toEqual([]);
  });
});

describe('files of all kinds', () => {
  it.each([
    ['no imports', MODULE.replace('  imports: [],\n', '')],
    ['no options', MODULE.replace(/\{\n {2}imports[\s\S]*?\}\)/, '{})')],
    ['imports in one line', MODULE.replace('imports: []', 'imports: [A, B]')],
    [
      'imports in lines',
      MODULE.replace('imports: []', 'imports: [\n    A,\n    B.forRoot({ a: [1] }), // b\n  ]'),
    ],
    ['no comma at the end', MODULE.replace('imports: []', 'imports: [\n    A,\n    B\n  ]')],
    ['imports of nest-sessions', `import { Session } from 'nest-sessions';\n${MODULE}`],
    ['types of nest-sessions', `import type { SessionContainer } from 'nest-sessions';\n${MODULE}`],
  ])('a module with %s', (_, module) => {
    const { files, warnings } = add({ files: withModule(module), options: { store: 'postgres' } });
    const text = files['src/app.module.ts'] ?? '';
    expect(warnings).toEqual([]);
    expect(errorsOf(text)).toEqual([]);
    expect(text.match(/SessionModule\.forRoot\(\{/g)).toHaveLength(1);
    expect(importsOf(text)).toEqual(expect.arrayContaining(['SessionModule', 'embeddedCore', 'Pool']));
    for (const line of module.split('\n').filter((each) => /^ {4}\S/.test(each)))
      expect(text).toContain(line.trim());
  });

  it('keeps the line ends, quotes and semicolons of a file', () => {
    const windows = MODULE.replaceAll('\n', '\r\n').replaceAll("'", '"').replaceAll(';', '');
    const text = add({ files: withModule(windows) }).files['src/app.module.ts'] ?? '';
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
    expect(text).toContain('import { SessionModule } from "nest-sessions"\r\n');
  });

  it('an ES module, whose imports end in .js', () => {
    const files = withMain(MAIN.replace('./app.module', './app.module.js'));
    expect(add({ files }).files['src/app.module.ts']).toContain('SessionModule');
  });

  it('the module that the main file starts, by another name and in another folder', () => {
    const files = {
      'package.json': STARTER['package.json'],
      'apps/shop/src/main.ts': MAIN.replace('{ AppModule }', '{ ShopModule }')
        .replace("'./app.module'", "'./shop/shop.module'")
        .replace('create(AppModule)', 'create<NestExpressApplication>(ShopModule)'),
      'apps/shop/src/shop/shop.module.ts': MODULE.replace('class AppModule', 'class ShopModule'),
    };
    const outcome = add({ files, options: { sourceRoot: 'apps/shop/src' } });
    expect(outcome.files['apps/shop/src/shop/shop.module.ts']).toContain('SessionModule.forRoot');
    expect(outcome.files['apps/shop/src/main.ts']).toContain('enableCors');
  });

  it('an application under another name in the main file', () => {
    const text = add({ files: withMain(MAIN.replaceAll(/\bapp\b(?!\.module)/g, 'server')) }).files[
      'src/main.ts'
    ];
    expect(text).toContain('  server.enableCors(\n');
    expect(text).toContain('  server.enableShutdownHooks();\n');
  });
});

describe('a file that the schematic does not understand', () => {
  it.each([
    ['a list from elsewhere', MODULE.replace('imports: []', 'imports: MODULES')],
    ['options from elsewhere', MODULE.replace(/\{\n {2}imports[\s\S]*?\}\)/, 'OPTIONS)')],
    ['two modules', `${MODULE}\n@Module({})\nexport class Other {}\n`],
    ['a name that is in use', MODULE.replace('@Module', 'class Pool {}\n\n@Module')],
    ['an error of syntax', MODULE.replace('@Module({', '@Module({{')],
    ['nothing', ''],
  ])('is left alone, and what to add is printed: a module with %s', (_, module) => {
    const { files, warnings } = add({ files: withModule(module), options: { store: 'postgres' } });
    expect(files['src/app.module.ts']).toBe(module);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^src\/app\.module\.ts is left as it is, .*\n/);
    expect(warnings[0]).toContain("  import { Pool } from 'pg';\n");
    expect(warnings[0]).toContain('  SessionModule.forRoot({\n');
    expect(files['src/main.ts']).toContain('sessionCorsOptions');
  });

  it.each([
    ['CORS of its own', MAIN.replace('  await app.listen', '  app.enableCors();\n  await app.listen')],
    ['CORS as an option', MAIN.replace('create(AppModule)', 'create(AppModule, { cors: true })')],
    [
      'an application that another function creates',
      MAIN.replace('await NestFactory.create(AppModule)', 'await createApp()'),
    ],
  ])('is left alone: a main file with %s', (_, main) => {
    const { files, warnings } = add({ files: withMain(main) });
    expect(files['src/main.ts']).toBe(main);
    expect(warnings).toEqual([
      expect.stringMatching(/^src\/main\.ts is left as it is, [\s\S]*app\.enableCors\(/),
    ]);
    expect(files['src/app.module.ts']).toContain('SessionModule');
  });

  it('is every file where there is no TypeScript with a syntax tree', () => {
    const { files, warnings } = add({ machine: { loadCompiler: () => undefined } });
    expect(files).toEqual(STARTER);
    expect(warnings).toHaveLength(2);
  });
});

describe('bad input ends in one sentence, and nothing is changed', () => {
  const without = (path: keyof typeof STARTER): Record<string, string> =>
    Object.fromEntries(Object.entries(STARTER).filter(([each]) => each !== path));
  const manifest = (text: string): Record<string, string> => ({ ...STARTER, 'package.json': text });

  it.each<[string, Run, string]>([
    [
      'an unknown store',
      { options: { store: 'mysql' } },
      'nest-sessions: --store is memory, sqlite, postgres or redis, and not mysql',
    ],
    [
      'an unknown guard',
      { options: { guard: 'all' } },
      'nest-sessions: --guard is global or route, and not all',
    ],
    [
      'an unknown option',
      { options: { stoer: 'redis' } },
      'nest-sessions has no option --stoer: use --store, --guard, --module or --skip-install',
    ],
    [
      'no AppModule',
      { files: without('src/app.module.ts') },
      'nest-sessions found no AppModule: src/main.ts names none, and there is no file src/app.module.ts; name the file with --module=<path>',
    ],
    [
      'a module that is not there',
      { options: { module: 'src/shop.ts' } },
      'nest-sessions found no AppModule: there is no file src/shop.ts; name the file with --module=<path>',
    ],
    [
      'Nest 10',
      { files: manifest(STARTER['package.json'].replaceAll('^11.0.1', '^10.4.0')) },
      'nest-sessions works with Nest 11 and 12, and this is @nestjs/core ^10.4.0: update Nest first',
    ],
    [
      'no Nest',
      { files: manifest('{}') },
      'nest-sessions found no @nestjs/core in package.json: run the command in the folder of a Nest application',
    ],
    [
      'no package.json',
      { files: without('package.json') },
      'nest-sessions found no package.json here: run the command in the folder of the application',
    ],
    [
      'a broken package.json',
      { files: manifest('{') },
      'nest-sessions cannot read package.json, because it is not valid JSON: correct it first',
    ],
    [
      'a file that may not be written',
      {
        machine: {
          assertWritable(path) {
            if (path === 'src/main.ts') throw new Error(`EACCES: permission denied, access '${path}'`);
          },
        },
      },
      'nest-sessions may not write src/main.ts, and has changed nothing: allow it, and run the command again',
    ],
  ])('%s', (_, run, message) => {
    const files = run.files ?? STARTER;
    const tree = treeWith(files);
    expect(() => add({ ...run, tree })).toThrow(expect.objectContaining({ message }));
    for (const [path, text] of Object.entries(files)) expect(tree.readText(path)).toBe(text);
  });
});

/** The errors of syntax of a text. */
function errorsOf(text = ''): string[] {
  const { diagnostics = [] } = ts.transpileModule(text, {
    reportDiagnostics: true,
    compilerOptions: { experimentalDecorators: true, target: ts.ScriptTarget.ESNext },
  });
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

/** The names that a text imports, types left out. */
function importsOf(text: string): string[] {
  return [...text.matchAll(/^import \{([^}]*)\}/gm)].flatMap(([, names = '']) =>
    names.split(',').map((name) => name.trim()),
  );
}
