import type ts from 'typescript';
import type { Application } from './project.js';
import type { Settings } from './settings.js';
import {
  applyInsertions,
  importNames,
  indentLines,
  isBroken,
  lineIndent,
  type Compiler,
  type Insertion,
  type WantedImport,
} from './source-edit.js';
import { STORES } from './stores.js';

/** The needs of the application's module: imports, and an element of its `imports`. */
export interface ModuleAddition {
  readonly imports: readonly WantedImport[];
  readonly element: string;
}

/** Makes the import of `SessionModule` for the options of the command. */
export function moduleAddition({ store, guard }: Settings, { name }: Application): ModuleAddition {
  const { core, names, driver } = STORES[store] ?? {};
  const lines = [
    ...(guard === 'global'
      ? ['// Every route needs a session, but for those with @PublicAccess().', `guard: 'global',`]
      : []),
    'appInfo: {',
    `  appName: ${quoted(name)},`,
    `  apiDomain: process.env.API_DOMAIN ?? 'http://localhost:3000',`,
    `  websiteDomain: process.env.WEBSITE_DOMAIN ?? 'http://localhost:3000',`,
    '},',
    ...(core === undefined ? [] : `core: ${core},`.split('\n')),
  ];
  return {
    imports: [
      { names: [...(names ?? []), 'SessionModule'], from: 'nest-sessions' },
      ...(driver === undefined ? [] : [{ names: [driver.name], from: driver.from }]),
    ],
    element: `SessionModule.forRoot({\n${lines.map((line) => `  ${line}\n`).join('')}})`,
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\\n\r]/g, ' ')}'`;
}

/**
 * Adds the sessions to the module in a file.
 *
 * @returns the new text, or undefined if the file is not as `nest new` makes it and has to be changed by hand
 */
export function addToModule(compiler: Compiler, text: string, addition: ModuleAddition): string | undefined {
  const file = compiler.createSourceFile('module.ts', text, compiler.ScriptTarget.Latest, true);
  const options = findModuleOptions(compiler, file);
  const element = options === undefined ? undefined : addElement(compiler, file, options, addition.element);
  const imports = addition.imports.map((each) => importNames(compiler, file, each));
  if (element === undefined || imports.some((each) => each === undefined)) return undefined;
  const added = applyInsertions(text, [...imports.flatMap((each) => each ?? []), ...element]);
  return isBroken(compiler, added) ? undefined : added;
}

/** The object of the only `@Module({…})` in the file. */
function findModuleOptions(compiler: Compiler, file: ts.SourceFile): ts.ObjectLiteralExpression | undefined {
  const found = file.statements.filter(compiler.isClassDeclaration).flatMap((declaration) =>
    (compiler.getDecorators(declaration) ?? []).flatMap(({ expression }) => {
      if (!compiler.isCallExpression(expression) || expression.expression.getText(file) !== 'Module')
        return [];
      const [options] = expression.arguments;
      return options !== undefined && compiler.isObjectLiteralExpression(options) ? [options] : [];
    }),
  );
  return found.length === 1 ? found[0] : undefined;
}

function addElement(
  compiler: Compiler,
  file: ts.SourceFile,
  options: ts.ObjectLiteralExpression,
  element: string,
): Insertion[] | undefined {
  const members = options.properties;
  if (members.some(compiler.isSpreadAssignment)) return undefined;
  const imports = members.find((member) => member.name?.getText(file) === 'imports');
  if (imports === undefined) {
    const indent = `${lineIndent(file, options.getStart(file))}  `;
    const list = `imports: [\n  ${indentLines(element, '  ')},\n],`;
    const end = members.length === 0 ? `\n${indent.slice(2)}` : '';
    return [{ at: options.getStart(file) + 1, text: `\n${indent}${indentLines(list, indent)}${end}` }];
  }
  if (!compiler.isPropertyAssignment(imports) || !compiler.isArrayLiteralExpression(imports.initializer))
    return undefined;
  return appendElement(compiler, file, imports.initializer, element);
}

function appendElement(
  compiler: Compiler,
  file: ts.SourceFile,
  array: ts.ArrayLiteralExpression,
  element: string,
): Insertion[] {
  const outer = lineIndent(file, array.getStart(file));
  const last = array.elements.at(-1);
  if (last === undefined) {
    const inner = `${outer}  `;
    return [{ at: array.getStart(file) + 1, text: `\n${inner}${indentLines(element, inner)},\n${outer}` }];
  }
  const isMultiline = file.text.slice(array.getStart(file), last.getStart(file)).includes('\n');
  const indent = isMultiline ? lineIndent(file, last.getStart(file)) : outer;
  const text = `${isMultiline ? `\n${indent}` : ' '}${indentLines(element, indent)}`;
  const { hasTrailingComma, end } = array.elements;
  const behind = hasTrailingComma ? end : last.end;
  const at = compiler.getTrailingCommentRanges(file.text, behind)?.at(-1)?.end ?? behind;
  return hasTrailingComma
    ? [{ at, text: `${text},` }]
    : [
        { at: last.end, text: ',' },
        { at, text },
      ];
}
