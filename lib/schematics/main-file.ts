import type ts from 'typescript';
import {
  applyInsertions,
  importNames,
  indentLines,
  isBroken,
  lineIndent,
  type Compiler,
  type Insertion,
} from './source-edit.js';

/** Lets the website's pages call the API with its cookies. */
export const CORS = `app.enableCors(
  sessionCorsOptions({
    origins: [process.env.WEBSITE_DOMAIN ?? 'http://localhost:3000'],
  }),
);`;
const SHUTDOWN = 'app.enableShutdownHooks();';

/**
 * Adds CORS for the website, and the hooks by which stores are closed, to the file that starts the application.
 *
 * @returns the new text, the same text if it has both, or undefined if the file has to be changed by hand
 */
export function addToMain(compiler: Compiler, text: string): string | undefined {
  if (text.includes('sessionCorsOptions')) return text;
  if (/\benableCors\b|\bcors\s*:/.test(text)) return undefined;
  const file = compiler.createSourceFile('main.ts', text, compiler.ScriptTarget.Latest, true);
  const creation = findCreation(compiler, file);
  const imports = importNames(compiler, file, { names: ['sessionCorsOptions'], from: 'nest-sessions' });
  if (creation === undefined || imports === undefined) return undefined;
  const added = applyInsertions(text, [...imports, addLines(file, creation)]);
  return isBroken(compiler, added) ? undefined : added;
}

interface Creation {
  /** The variable of the application. */
  readonly variable: string;
  readonly statement: ts.VariableStatement;
}

/** The statement `const app = await NestFactory.create(…)`, if there is one. */
function findCreation(compiler: Compiler, file: ts.SourceFile): Creation | undefined {
  const found: Creation[] = [];
  const visit = (node: ts.Node): void => {
    if (compiler.isVariableStatement(node)) {
      const [declaration] = node.declarationList.declarations;
      if (declaration !== undefined && isCreation(file, declaration))
        found.push({ variable: declaration.name.getText(file), statement: node });
    }
    node.forEachChild(visit);
  };
  visit(file);
  return found.length === 1 ? found[0] : undefined;
}

function isCreation(file: ts.SourceFile, { name, initializer }: ts.VariableDeclaration): boolean {
  return (
    /^\w+$/.test(name.getText(file)) &&
    /^await\s+NestFactory\s*\.\s*create\b/.test(initializer?.getText(file) ?? '')
  );
}

function addLines(file: ts.SourceFile, { variable, statement }: Creation): Insertion {
  const indent = lineIndent(file, statement.getStart(file));
  const lines = [CORS, ...(file.text.includes('enableShutdownHooks') ? [] : [SHUTDOWN])];
  const text = lines
    .map((line) => `\n${indent}${indentLines(line, indent)}`)
    .join('')
    .replaceAll(/\bapp\./g, `${variable}.`);
  return { at: statement.end, text };
}
