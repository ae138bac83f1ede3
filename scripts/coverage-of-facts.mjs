// Finds the numbered rows of docs/ that tests name. `npm run facts` prints counts and gaps.
//   --missing S    the missing rows of one family (T, C, S, Q, D, P; none: all), with their text
//   --named        the named numbers as ranges, the form of docs/required-facts.txt
//   --check FILE   exit code 1 when a number listed in FILE is named by no test
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path) => readFileSync(join(root, path), 'utf8');

/** The document of each family of rows, and the beginning of a row. */
const FAMILIES = [
  {
    letter: 'T',
    title: 'behaviour of the SDK',
    file: 'docs/protocol/sdk.md',
    row: /^\| (T\d+) \| (.*?) \|/gm,
  },
  {
    letter: 'Q',
    title: 'quirks of the SDK',
    file: 'docs/protocol/sdk.md',
    from: '## 18.',
    to: '## 19.',
    row: /^\| (Q\d+) \| (.*?) \|/gm,
  },
  {
    letter: 'C',
    title: 'behaviour of the core',
    file: 'docs/protocol/core.md',
    from: '## E. ',
    to: '## F. ',
    row: /^\| (\d+) \| (.*?) \| [LNB-] \|/gm,
  },
  {
    letter: 'S',
    title: 'security requirements',
    file: 'docs/security-requirements.md',
    row: /^\| (S\d{3}) \| [MSO] \| (.*?) \|/gm,
  },
  {
    letter: 'D',
    title: 'device-bound browsers',
    file: 'docs/protocol/dbsc.md',
    row: /^\| (D\d+)\s* \| (.*?) \|/gm,
  },
  {
    letter: 'P',
    title: 'proofs of clients (DPoP)',
    file: 'docs/protocol/dpop.md',
    row: /^\| (P\d+)\s* \| (.*?) \|/gm,
  },
];

function definedRows({ letter, file, from, to, row }) {
  const text = read(file);
  const part = text.slice(
    from ? text.lastIndexOf(`\n${from}`) : 0,
    to ? text.lastIndexOf(`\n${to}`) : undefined,
  );
  return new Map([...part.matchAll(row)].map((match) => [letter + match[1].replace(letter, ''), match[2]]));
}

const nameOf = (letter, number) => letter + (letter === 'S' ? String(number).padStart(3, '0') : number);

/** `T43`, `T43-T47`, `T43-47`, also in lists and brackets. */
function* numbersIn(text) {
  for (const [, letter, first, , last] of text.matchAll(
    /\b([TQCSDP])(\d{1,3})(?:\s?[-–]\s?([TQCSDP])?(\d{1,3}))?\b/g,
  )) {
    const end = Number(last) > Number(first) ? Number(last) : Number(first);
    for (let number = Number(first); number <= end; number++) yield nameOf(letter, number);
  }
}

function filesBelow(folder, wanted) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && wanted.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** The function of a call: `it.each(rows)('…')` is `it.each`, `describe('…')` is `describe`. */
function calleeOf(call) {
  let callee = call.expression;
  while (ts.isCallExpression(callee) || ts.isTaggedTemplateExpression(callee))
    callee = callee.expression ?? callee.tag;
  return callee.getText();
}

/** The string literals below a node, without those in functions. */
function stringsBelow(node) {
  const own =
    ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
  const strings = own ? [node.text] : [];
  node.forEachChild((child) => {
    if (!ts.isFunctionLike(child)) strings.push(...stringsBelow(child));
  });
  return strings;
}

/** Titles of tests, and the strings of tables outside their bodies; skipped tests do not count. */
function testNames(node) {
  const callee = ts.isCallExpression(node) ? calleeOf(node) : '';
  if (/^(x(it|test|describe)|(it|test|describe)\.(skip|todo))\b/.test(callee)) return [];
  if (/^(it|test|describe)\b/.test(callee)) {
    const [title, ...rest] = node.arguments;
    const names = [node.expression, title].filter(Boolean).flatMap(stringsBelow);
    return callee.startsWith('describe') ? [...names, ...rest.flatMap(testNames)] : names;
  }
  if (ts.isArrayLiteralExpression(node)) return stringsBelow(node);
  const names = [];
  node.forEachChild((child) => void names.push(...testNames(child)));
  return names;
}

function testNamesOf(file) {
  return testNames(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));
}

function compact(names) {
  const ranges = [];
  for (const name of names) {
    const last = ranges.at(-1);
    const number = Number(name.slice(1));
    if (last && last.letter === name[0] && last.to + 1 === number) last.to = number;
    else ranges.push({ letter: name[0], from: number, to: number });
  }
  return ranges.map(
    ({ letter, from, to }) => nameOf(letter, from) + (to > from ? `-${nameOf(letter, to)}` : ''),
  );
}

const { values: options, positionals } = parseArgs({
  options: { missing: { type: 'boolean' }, named: { type: 'boolean' }, check: { type: 'string' } },
  allowPositionals: true,
});

const defined = new Map(FAMILIES.flatMap((family) => [...definedRows(family)]));
const mentioned = new Set();
for (const file of [...filesBelow('lib', /\.spec\.ts$/), ...filesBelow('test', /\.ts$/)]) {
  for (const name of testNamesOf(file)) for (const number of numbersIn(name)) mentioned.add(number);
}
const notApplicable = new Set(
  [...read('docs/not-applicable.md').matchAll(/^\| ([TQCSDP]\d[^|]*) \|/gm)].flatMap((match) => [
    ...numbersIn(match[1]),
  ]),
);

const named = [...defined.keys()].filter((number) => mentioned.has(number));
const missing = [...defined.keys()].filter((number) => !mentioned.has(number) && !notApplicable.has(number));

if (options.check) {
  const required = [...numbersIn(readFileSync(options.check, 'utf8').replace(/#.*/g, ''))];
  const lost = required.filter((number) => !mentioned.has(number));
  if (lost.length > 0) console.error(`${options.check}: no test names ${compact(lost).join(', ')}`);
  else console.log(`${options.check}: tests name all ${required.length} numbers`);
  process.exitCode = lost.length > 0 ? 1 : 0;
} else if (options.named) {
  console.log('# Named by tests; `npm run facts -- --check docs/required-facts.txt` fails when one is lost.');
  for (const { letter } of FAMILIES)
    console.log(compact(named.filter((number) => number[0] === letter)).join(', '));
} else if (options.missing) {
  const wanted = positionals.join('') || 'TQCSDP';
  for (const number of missing)
    if (wanted.includes(number[0])) console.log(`${number}  ${defined.get(number)}`);
} else {
  for (const { letter, title } of FAMILIES) {
    const own = (numbers) => [...numbers].filter((number) => number[0] === letter && defined.has(number));
    const rest = own(missing);
    const counts = `${own(named).length} of ${own(defined.keys()).length} named, ${own(notApplicable).length} not applicable`;
    console.log(`${letter}  ${title}: ${counts}, ${rest.length} missing`);
    if (rest.length > 0) console.log(`   missing: ${compact(rest).join(', ')}`);
  }
  const unknown = [...mentioned].filter((number) => !defined.has(number));
  if (unknown.length > 0) console.log(`named by tests, defined nowhere: ${unknown.join(', ')}`);
}
