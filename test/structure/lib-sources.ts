import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';
import ts from 'typescript';

/** A file of the package with its syntax tree; `path` begins with `lib/`. */
export interface LibSource {
  readonly path: string;
  readonly tree: ts.SourceFile;
}

/** One import or re-export; `target` is a path that begins with `lib/`, or the name of a package. */
export interface Import {
  readonly target: string;
  readonly isTypeOnly: boolean;
}

/** The syntax tree of a file below the root of the repository, or undefined when there is none. */
export function parse(path: string): ts.SourceFile | undefined {
  if (!existsSync(path)) return undefined;
  return ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
}

/** All files of the package, without specs, in alphabetical order. */
export function libSources(): readonly LibSource[] {
  return readdirSync('lib', { recursive: true, encoding: 'utf8' })
    .map((name) => join('lib', name.replaceAll('\\', '/')))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
    .sort()
    .flatMap((path) => {
      const tree = parse(path);
      return tree ? [{ path, tree }] : [];
    });
}

/** The imports of a file: static and dynamic imports, re-exports and `import('…')` types. */
export function importsOf({ path, tree }: LibSource): readonly Import[] {
  const imports: Import[] = [];
  const add = (specifier: ts.Node | undefined, isTypeOnly: boolean): void => {
    if (specifier && ts.isStringLiteralLike(specifier))
      imports.push({ target: resolve(path, specifier.text), isTypeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, bringsOnlyTypes(node.importClause));
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    if (ts.isCallExpression(node) && isImportOrRequire(node.expression)) add(node.arguments[0], false);
    node.forEachChild(visit);
  };
  visit(tree);
  return imports;
}

function resolve(importer: string, specifier: string): string {
  return specifier.startsWith('.') ? join(importer, '..', specifier.replace(/\.js$/, '.ts')) : specifier;
}

function bringsOnlyTypes(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  const named =
    clause.namedBindings && ts.isNamedImports(clause.namedBindings) ? clause.namedBindings.elements : [];
  return (
    clause.isTypeOnly || (!clause.name && named.length > 0 && named.every((element) => element.isTypeOnly))
  );
}

function isImportOrRequire(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
  );
}
