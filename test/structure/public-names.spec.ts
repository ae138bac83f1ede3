import { readFileSync } from 'node:fs';
import { join } from 'node:path/posix';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { libSources, parse } from './lib-sources.js';

/** The reviewed names: a change of this list is a change of what users are promised. */
const REVIEWED = JSON.parse(readFileSync('test/structure/public-names.json', 'utf8')) as Record<
  string,
  string[]
>;

interface PublicName {
  readonly name: string;
  /** Name and file of the declaration. */
  readonly original: string;
  readonly file: string;
}

function exportDeclarations(door: string): readonly ts.ExportDeclaration[] {
  return parse(door)?.statements.filter(ts.isExportDeclaration) ?? [];
}

function publicNames(door: string): readonly PublicName[] {
  return exportDeclarations(door).flatMap(({ exportClause, moduleSpecifier }) => {
    if (!exportClause || !ts.isNamedExports(exportClause)) return [];
    const specifier = moduleSpecifier && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier.text : '';
    const file = join(door, '..', specifier.replace(/\.js$/, '.ts'));
    return exportClause.elements.map(({ name, propertyName }) => ({
      name: name.text,
      original: (propertyName ?? name).text,
      file,
    }));
  });
}

/** The docstring of a name's declaration as text, or undefined when it has none. */
function docstringOf({ file, original }: PublicName): string | undefined {
  const declaration = parse(file)?.statements.find((statement) =>
    declaredNames(statement).includes(original),
  );
  const comments = declaration ? ts.getJSDocCommentsAndTags(declaration) : [];
  return comments.length > 0 ? comments.map((comment) => comment.getFullText()).join('\n') : undefined;
}

function declaredNames(statement: ts.Statement): readonly string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((declaration) => declaration.name.getText());
  }
  return 'name' in statement ? [(statement.name as ts.Node).getText()] : [];
}

describe.each(Object.keys(REVIEWED))('the names that %s exports', (door) => {
  it('are the reviewed ones', () => {
    const names = publicNames(door).map(({ name }) => name);
    expect(names.toSorted()).toEqual(REVIEWED[door]);
  });

  it('are listed by hand: nothing is exported by a star or declared in the door', () => {
    const others = parse(door)?.statements.filter(
      (statement) =>
        !ts.isExportDeclaration(statement) ||
        !statement.exportClause ||
        !ts.isNamedExports(statement.exportClause),
    );
    expect((others ?? []).map((statement) => statement.getText())).toEqual([]);
  });

  it('have a docstring marked @publicApi', () => {
    const undocumented = publicNames(door).filter((name) => !docstringOf(name)?.includes('@publicApi'));
    expect(undocumented.map(({ name, file }) => `${name} in ${file}`)).toEqual([]);
  });
});

it('the main door has at most 90 names', () => {
  expect(publicNames('lib/index.ts').length).toBeLessThanOrEqual(90);
});

/** Doors of applications that cannot load the main door, because it loads Nest: they repeat names of other doors. */
const WITHOUT_NEST = ['lib/standalone/index.ts', 'lib/verify/index.ts'];

it('each public name comes from one door only, apart from those that doors without Nest repeat', () => {
  const names = Object.keys(REVIEWED)
    .filter((door) => !WITHOUT_NEST.includes(door))
    .flatMap(publicNames)
    .map(({ name }) => name);
  // An application names the type of its store (TS2883), an author of stores extends the class.
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual(['SessionStore']);
});

it('each public name is the same thing in every door', () => {
  const all = Object.keys(REVIEWED).flatMap(publicNames);
  const different = all.filter(({ name, original, file }) =>
    all.some((other) => other.name === name && (other.original !== original || other.file !== file)),
  );
  expect(different).toEqual([]);
});

it('every declaration that is marked @publicApi can be imported', () => {
  const exported = Object.keys(REVIEWED)
    .flatMap(publicNames)
    .map(({ original, file }) => `${original} in ${file}`);
  const marked = libSources().flatMap(({ path, tree }) =>
    tree.statements
      .filter((statement) => ts.getJSDocTags(statement).some(({ tagName }) => tagName.text === 'publicApi'))
      .flatMap((statement) => declaredNames(statement).map((name) => `${name} in ${path}`)),
  );
  expect(marked.length).toBeGreaterThan(100);
  expect(marked.filter((name) => !exported.includes(name))).toEqual([]);
});
