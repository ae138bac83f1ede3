import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { compileBlocks, type BlockOutcome } from './compiled-blocks.js';
import { codeBlocks, documents, guides, prose, type CodeBlock } from './documents.js';

/**
 * The marks that the comment above a block may hold, `<!-- fragment -->` for example:
 * - `fragment`: names of the library and of Nest need no import;
 * - `fragment: in a class`: the same, and the block is the body of a class;
 * - `does not compile`: the compiler must refuse it;
 * - `quick-start: …`, `first-test`: `scripts/consumers.mjs` and `scripts/newcomer.mjs` run it, too;
 * - `vitest`: `scripts/consumers.mjs` alone compiles and runs it, because there is no Vitest here.
 */
const REMARKS = /^(fragment|fragment: in a class|does not compile|quick-start: .*|first-test|vitest|)$/;
const REFUSED = 'does not compile';
const COMPILED_ELSEWHERE = 'vitest';

/** Pages are built by a bundler and run in a browser. */
const FOR_PAGES: ts.CompilerOptions = {
  jsx: ts.JsxEmit.ReactJSX,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};

const blocks = guides().flatMap(codeBlocks);
const inLanguage = (...languages: string[]): CodeBlock[] =>
  blocks.filter(({ language }) => languages.includes(language));

describe('code in README and guides', () => {
  let outcomes: readonly BlockOutcome[];

  beforeAll(() => {
    outcomes = [
      ...compileBlocks(inLanguage('ts').filter(({ remark }) => remark !== COMPILED_ELSEWHERE)),
      ...compileBlocks(inLanguage('js'), {
        allowJs: true,
        checkJs: true,
        lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
      }),
      ...compileBlocks(inLanguage('tsx'), FOR_PAGES),
    ];
  }, 240_000);

  it('is found, and says in which language it is', () => {
    expect(inLanguage('ts').length).toBeGreaterThan(15);
    expect(new Set(blocks.map(({ language }) => language))).toEqual(
      new Set(['ts', 'tsx', 'js', 'sh', ...blocks.map(({ language }) => language).filter(isOtherText)]),
    );
  });

  it('leaves a README of at most 180 lines: the rest is in the guides', () => {
    expect(readFileSync('README.md', 'utf8').split('\n').length - 1).toBeLessThanOrEqual(180);
  });

  it('compiles under strict options, but for the blocks that say they do not', () => {
    const wanted = outcomes.filter(({ block }) => block.remark !== REFUSED);
    expect(wanted.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('is refused where it says so', () => {
    const refused = outcomes.filter(({ block }) => block.remark === REFUSED);
    const accepted = refused.filter(({ errors }) => errors.length === 0);
    expect(accepted.map(({ block }) => `${block.document}:${block.line} compiles`)).toEqual([]);
  });

  it('has no comment above it that nobody reads', () => {
    const odd = inLanguage('ts', 'tsx', 'js', 'json').filter(({ remark }) => !REMARKS.test(remark));
    expect(odd.map(({ document, line, remark }) => `${document}:${line}: ${remark}`)).toEqual([]);
  });

  it('is JSON where it says so', () => {
    const broken = inLanguage('json').filter(({ code }) => !isJson(code));
    expect(broken.map(({ document, line }) => `${document}:${line}`)).toEqual([]);
  });
});

describe('the compiler of blocks', () => {
  const block = (code: string, remark = ''): CodeBlock => ({
    document: 'x.md',
    line: 10,
    language: 'ts',
    code,
    remark,
  });

  it('finds a wrong option, a missing import and a name that does not exist, and says where', () => {
    const wrong = [
      {
        ...block(
          `import { SessionModule } from 'nest-sessions';\n\nSessionModule.forRoot({ appInfo, claim: [] });\n`,
        ),
        line: 20,
      },
      { ...block('const guard = new SessionGuard();\n'), line: 30 },
      { ...block(`import { nothing } from 'nest-sessions';\n`), line: 40 },
      { ...block('const broken = ;\n'), line: 50 },
    ];
    const errors = compileBlocks(wrong).map((outcome) => outcome.errors);
    expect(errors.map((each) => each[0])).toEqual([
      expect.stringMatching(/^x\.md:23: .*'claim' does not exist/),
      expect.stringMatching(/^x\.md:31: Cannot find name 'SessionGuard'/),
      expect.stringMatching(/^x\.md:41: .*no exported member 'nothing'/),
      expect.stringMatching(/^x\.md:51: Expression expected/),
    ]);
  }, 120_000);
});

describe('commands in the documents', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

  it('name scripts that exist', () => {
    const unknown = documents().flatMap((document) =>
      linesWithCommands(document)
        .flatMap(({ line, text }) =>
          [...text.matchAll(/\bnpm (?:run )?(?:-\S+ )*((?<=run )[\w:-]+|start|test)\b/g)].map((match) => ({
            line,
            script: match[1] ?? '',
          })),
        )
        .filter(({ script }) => scripts[script] === undefined)
        .map(({ line, script }) => `${document}:${line}: npm run ${script}`),
    );
    expect(unknown).toEqual([]);
  });
});

/** Inline code, and the lines of shell blocks. */
function linesWithCommands(document: string): { line: number; text: string }[] {
  const inline = prose(document).flatMap(({ line, text }) =>
    [...text.matchAll(/`([^`]+)`/g)].map((match) => ({ line, text: match[1] ?? '' })),
  );
  const shell = codeBlocks(document)
    .filter(({ language }) => ['sh', 'bash'].includes(language))
    .flatMap(({ line, code }) => code.split('\n').map((text, i) => ({ line: line + 1 + i, text })));
  return [...inline, ...shell];
}

function isOtherText(language: string): boolean {
  return [
    'bash',
    'json',
    'text',
    'nginx',
    'python',
    'sql',
    'yaml',
    'html',
    'graphql',
    'http',
    'mermaid',
  ].includes(language);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
