import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { SESSION_ROUTES } from '../../lib/options/session-routes.js';

const byText = (a = '', b = ''): number => a.localeCompare(b);
const read = (page: string): string => readFileSync(`docs/reference/${page}.md`, 'utf8');

/** The cells of the rows of all tables of a page, without the heads. */
function rows(page: string): string[][] {
  return read(page)
    .split('\n')
    .filter((line) => /^\| +`/.test(line))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
}

describe('the reference of the routes', () => {
  it('has the routes of the module, with the function or the option that serves them', () => {
    const documented = rows('routes').filter((cells) => cells.length === 3);
    const served = Object.values(SESSION_ROUTES).map(({ method, path, apiFunction }) => [
      `\`${method.toUpperCase()} ${path}\``,
      apiFunction,
    ]);
    expect(documented.map(([route]) => route).toSorted(byText)).toEqual(
      served.map(([route]) => route).toSorted(byText),
    );
    const options = read('options');
    const wrong = served.filter(([route, apiFunction]) => {
      const [, by = ''] = documented.find(([name]) => name === route) ?? [];
      if (apiFunction !== undefined) return by !== `\`${apiFunction}\``;
      return !options.includes(`| ${by.split(/[.`]/).slice(0, 2).join('`')}`);
    });
    expect(wrong).toEqual([]);
  });

  it('has the routes of a served core', () => {
    const documented = rows('routes').flatMap(([route = '', ...rest]) =>
      rest.length === 1 ? [route.replaceAll('`', '')] : [],
    );
    const source = readFileSync('lib/core/server/cdi-router.ts', 'utf8');
    const table = source.slice(source.indexOf('const ENDPOINTS'), source.indexOf(']);'));
    const served = [...table.matchAll(/\['([^']+)', (?:HELLO|\w+\(\{ (.*?) \})/g)].map(
      ([, path = '', methods = "GET: '', POST: '', PUT: '', DELETE: ''"]) =>
        `${[...methods.matchAll(/(\w+):/g)].map(([, method]) => method).join(', ')} ${path}`,
    );
    expect(served.length).toBeGreaterThan(15);
    expect(documented.toSorted(byText)).toEqual(served.toSorted(byText));
  });
});

describe('the reference of the events', () => {
  const union = parse('lib/events/session-event.ts').statements.find(
    (statement) => ts.isTypeAliasDeclaration(statement) && statement.name.text === 'SessionEvent',
  );
  const events: [type: string, members: string[]][] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isTypeLiteralNode(node)) {
      const names = node.members.map((member) => member.name?.getText() ?? '');
      const [, type = ''] = /readonly type: '([^']+)'/.exec(node.getText()) ?? [];
      events.push([type, names.filter((name) => name !== 'type')]);
    } else node.forEachChild(visit);
  };
  union?.forEachChild(visit);

  it('has every type, and no other', () => {
    expect(events.length).toBeGreaterThan(15);
    expect(
      rows('events')
        .map(([type]) => type)
        .toSorted(byText),
    ).toEqual(events.map(([type]) => `\`${type}\``).toSorted(byText));
  });

  it.each(events)('names the members that only %s has', (type, members) => {
    const row = rows('events').find(([name]) => name === `\`${type}\``) ?? [];
    // Members of every event about a session are in the text above the tables.
    const own = members.filter((name) => !['recipeUserId', 'userId'].includes(name));
    expect(own.filter((name) => !row.join(' ').includes(`\`${name}\``))).toEqual([]);
  });
});

describe('the reference of the errors', () => {
  it('has every class that can be thrown', () => {
    const files = ['lib/errors.ts', 'lib/options/config-error.ts', 'lib/http/session-request.ts'];
    const classes = files.flatMap((file) => parse(file).statements.filter(ts.isClassDeclaration));
    const thrown = classes.filter(
      (declaration) =>
        ts.getModifiers(declaration)?.every(({ kind }) => kind !== ts.SyntaxKind.AbstractKeyword) === true,
    );
    expect(thrown.length).toBeGreaterThan(10);
    const documented = new Set(
      rows('errors').flatMap(([cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name)),
    );
    expect(thrown.map(({ name }) => name?.text).filter((name) => !documented.has(name))).toEqual([]);
  });
});
