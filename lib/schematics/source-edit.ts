import type ts from 'typescript';

/** The compiler of the application, by which its files are read. */
export type Compiler = typeof ts;

/** A text that goes into a file before the character at `at`. */
export interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** Names that are imported from a module. */
export interface WantedImport {
  readonly names: readonly string[];
  readonly from: string;
}

/** Returns the text with the insertions, with the line ends of the file. */
export function applyInsertions(text: string, insertions: readonly Insertion[]): string {
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  let result = text;
  for (const { at, text: added } of insertions.toReversed().toSorted((a, b) => b.at - a.at))
    result = result.slice(0, at) + added.replaceAll('\n', lineEnd) + result.slice(at);
  return result;
}

/** Whether a text has errors of syntax. */
export function isBroken(compiler: Compiler, text: string): boolean {
  const { diagnostics } = compiler.transpileModule(text, {
    reportDiagnostics: true,
    compilerOptions: { target: compiler.ScriptTarget.ESNext, experimentalDecorators: true },
  });
  return (diagnostics ?? []).length > 0;
}

/** Puts as many blanks before each line but the first and the empty ones. */
export function indentLines(text: string, indent: string): string {
  return text.replaceAll(/\n(?=.)/g, `\n${indent}`);
}

/** The white space in front of a line of the file. */
export function lineIndent(file: ts.SourceFile, position: number): string {
  const { line } = file.getLineAndCharacterOfPosition(position);
  const start = file.getPositionOfLineAndCharacter(line, 0);
  return /^[ \t]*/.exec(file.text.slice(start, position))?.[0] ?? '';
}

/**
 * Imports names of a module, in the statement that is there or in one behind the other imports.
 *
 * @returns undefined if the file uses one of the names for something else
 */
export function importNames(
  compiler: Compiler,
  file: ts.SourceFile,
  { names, from }: WantedImport,
): Insertion[] | undefined {
  const statements = file.statements.filter(compiler.isImportDeclaration);
  const existing = statements.find(
    (each) => moduleName(compiler, each) === from && namedImports(compiler, each) !== undefined,
  );
  const elements = existing === undefined ? undefined : namedImports(compiler, existing)?.elements;
  const missing = names.filter((name) => !elements?.some((each) => each.name.text === name));
  if (missing.length === 0) return [];
  if (missing.some((name) => isDeclared(compiler, file, name))) return undefined;
  const last = elements?.at(-1);
  if (last !== undefined) return [{ at: last.end, text: `, ${missing.join(', ')}` }];
  const quote = /from\s*"/.test(file.text) ? '"' : "'";
  const semicolon = statements.some((each) => !each.getText(file).endsWith(';')) ? '' : ';';
  const line = `import { ${missing.join(', ')} } from ${quote}${from}${quote}${semicolon}`;
  const behind = statements.at(-1);
  return [behind === undefined ? { at: 0, text: `${line}\n` } : { at: behind.end, text: `\n${line}` }];
}

function moduleName(compiler: Compiler, statement: ts.ImportDeclaration): string | undefined {
  return compiler.isStringLiteral(statement.moduleSpecifier) ? statement.moduleSpecifier.text : undefined;
}

/** The names in braces of a statement that imports values. */
function namedImports(
  compiler: Compiler,
  { importClause }: ts.ImportDeclaration,
): ts.NamedImports | undefined {
  const bindings = importClause?.namedBindings;
  if (bindings === undefined || !compiler.isNamedImports(bindings)) return undefined;
  return importClause?.getText().startsWith('type ') === true ? undefined : bindings;
}

/** Whether the file declares or imports the name at its top level. */
function isDeclared(compiler: Compiler, file: ts.SourceFile, name: string): boolean {
  return file.statements.some((statement) => {
    if (compiler.isImportDeclaration(statement))
      return new RegExp(`\\b${name}\\b(?!\\s+as\\b)`).test(statement.importClause?.getText(file) ?? '');
    if (compiler.isVariableStatement(statement))
      return statement.declarationList.declarations.some((each) => each.name.getText(file) === name);
    return (
      (compiler.isClassDeclaration(statement) || compiler.isFunctionDeclaration(statement)) &&
      statement.name?.text === name
    );
  });
}
