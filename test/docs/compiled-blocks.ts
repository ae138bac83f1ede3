import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { APP_MODULE, CONTEXT, IMPORTS_OF_FRAGMENTS } from './block-context.js';
import type { CodeBlock } from './documents.js';

const ROOT = process.cwd();
const CONTEXT_FILE = join(ROOT, 'test/docs/blocks/context.ts');
/** The file in which a test of the reader finds the reader's module. */
const APP_MODULE_FILE = join(ROOT, 'test/docs/src/app.module.ts');

/** The compiler's errors in a block, by the line in its document. */
export interface BlockOutcome {
  readonly block: CodeBlock;
  readonly errors: readonly string[];
}

/** A block that adds to the types of the library changes them for the whole program. */
const MERGES_TYPES = /^declare module 'nest-sessions/m;

/**
 * Compiles all blocks, each as a module of its own, against the sources of the library: in one program, but for blocks that add to the
 * types of the library.
 */
export function compileBlocks(
  blocks: readonly CodeBlock[],
  extraOptions: ts.CompilerOptions = {},
): BlockOutcome[] {
  const [alone, together] = [true, false].map((merges) =>
    blocks.filter(({ code }) => MERGES_TYPES.test(code) === merges),
  );
  return [together ?? [], ...(alone ?? []).map((block) => [block])]
    .filter((program) => program.length > 0)
    .flatMap((program) => compileTogether(program, extraOptions));
}

function compileTogether(blocks: readonly CodeBlock[], extraOptions: ts.CompilerOptions): BlockOutcome[] {
  const files = new Map(blocks.map((block) => [fileNameOf(block), moduleOf(block)]));
  files.set(CONTEXT_FILE, CONTEXT);
  files.set(APP_MODULE_FILE, APP_MODULE);
  const options = { ...optionsOfRepository(), ...extraOptions };
  const program = ts.createProgram([...files.keys()], options, hostWith(files, options));
  return blocks.map((block) => {
    const source = program.getSourceFile(fileNameOf(block));
    const diagnostics = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ];
    return { block, errors: diagnostics.map((diagnostic) => describe(block, diagnostic)) };
  });
}

function optionsOfRepository(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: Record<string, unknown> };
  };
  const { options, errors } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  if (errors.length > 0) throw new Error('tsconfig.json cannot be read');
  return {
    ...options,
    // A block shows a part: what it declares need not be used there.
    noUnusedLocals: false,
    noUnusedParameters: false,
    paths: { ...options.paths, ...doors() },
  };
}

/** Each door of package.json that has a source. */
function doors(): Record<string, string[]> {
  const { name, exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    name: string;
    exports: Record<string, unknown>;
  };
  const known = Object.keys(exports).filter((door) => !door.endsWith('.json'));
  const paths = [...new Set([...known, './doctor'])].map((door) => [
    name + door.slice(1),
    [`./lib${door.slice(1)}/index.ts`],
  ]);
  return Object.fromEntries(paths) as Record<string, string[]>;
}

function hostWith(files: ReadonlyMap<string, string>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options, true);
  const { fileExists, readFile, getSourceFile, directoryExists } = host;
  const folders = new Set([...files.keys()].map((path) => dirname(path)));
  host.directoryExists = (path) => folders.has(path) || directoryExists?.(path) !== false;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const text = files.get(path);
    return text === undefined
      ? getSourceFile(path, languageVersion, ...rest)
      : ts.createSourceFile(path, text, languageVersion, true);
  };
  return host;
}

function fileNameOf({ document, line, language }: CodeBlock): string {
  return join(ROOT, 'test/docs/blocks', `${document.replaceAll(/\W/g, '-')}-${line}.${language}`);
}

/** The block as a module. Added code stands on the last line, so that line numbers stay. */
function moduleOf(block: CodeBlock): string {
  if (!block.remark.startsWith('fragment')) return `${block.code}export {};\n`;
  const code = block.remark === 'fragment: in a class' ? `class Fragment {${block.code}}` : block.code;
  return `${code}${importsFor(code)} export {};\n`;
}

function importsFor(code: string): string {
  const used = new Set(code.match(/\b[A-Za-z_]\w*/g));
  const declared = new Set(
    [...code.matchAll(/\b(?:class|const|function|let)\s+(\w+)/g)].map(([, name]) => name),
  );
  for (const [, names = ''] of code.matchAll(/import\s+(?:type\s+)?\{([^}]*)\}/g)) {
    for (const name of names.split(',')) declared.add(name.trim().split(/\s+/).at(-1));
  }
  const available = {
    'nest-sessions': listDoorNames('lib/index.ts'),
    'nest-sessions/core': listDoorNames('lib/core/index.ts'),
    ...IMPORTS_OF_FRAGMENTS,
  };
  return Object.entries(available)
    .map(
      ([module, names]) => [module, names.filter((name) => used.has(name) && !declared.has(name))] as const,
    )
    .filter(([, names]) => names.length > 0)
    .map(([module, names]) => `import { ${names.join(', ')} } from '${module}';`)
    .join(' ');
}

function listDoorNames(door: string): readonly string[] {
  const names = JSON.parse(readFileSync('test/structure/public-names.json', 'utf8')) as Record<
    string,
    string[]
  >;
  return names[door] ?? [];
}

function describe(block: CodeBlock, { file, start, messageText }: ts.Diagnostic): string {
  const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line : 0;
  const text = ts.flattenDiagnosticMessageText(messageText, ' ');
  return `${block.document}:${block.line + 1 + line}: ${text}`;
}
