import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { FRAMEWORKS } from '../../sample/08-other-frameworks/frameworks.js';
import { INSTALLED } from '../../sample/08-other-frameworks/installed.js';

const GUIDE = 'docs/guides/other-frameworks.md';
/** Those that the documents of the recipe name, and what else runs here. */
const SYSTEMS = [
  'Express',
  'Fastify',
  'hapi',
  'Koa',
  'LoopBack 4',
  'AWS Lambda',
  'Next.js',
  'Go',
  'FastAPI',
  'Flask',
  'Django',
  'Hono',
  'Bun',
  'Deno',
  'Cloudflare Workers',
];
const MAX_LINES = 60;
const ADAPTERS = [
  'node-http.ts',
  'express.ts',
  'fastify.ts',
  'hapi.ts',
  'koa.ts',
  'hono.ts',
  'lambda.ts',
  'loopback/guard.ts',
  'loopback/main.ts',
  'nextjs/middleware.ts',
  'nextjs/sessions.ts',
  'runtimes/worker.ts',
  'whole/express.ts',
  'whole/fastify.ts',
  'whole/hono.ts',
];

/** The rows of the table: system, how it is shown, the tests. */
function rows(): string[][] {
  const [, section = ''] = readFileSync(GUIDE, 'utf8').split('## Which systems, and how it is shown');
  const [part = ''] = section.split('\n## ');
  const lines = part.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('the table of systems', () => {
  it('has a row for each system that the documents of the recipe name', () => {
    expect(rows().map(([system]) => system)).toEqual(SYSTEMS);
  });

  it('says of each how it is shown, and names tests that exist', () => {
    for (const [system, how = '', tests = ''] of rows()) {
      expect(`${system}: ${how}`).toMatch(
        /: (runs in CI|by the served core and its own SDK|not by its own SDK)/,
      );
      const files = [...tests.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file);
      expect({ system, hasTests: files.length > 0 }).toEqual({ system, hasTests: true });
      expect(files.filter((file) => !existsSync(file))).toEqual([]);
    }
  });
});

describe('the sample with other frameworks', () => {
  it('names each example in its README', () => {
    const readme = readFileSync('sample/08-other-frameworks/README.md', 'utf8');
    const names = [...Object.keys(FRAMEWORKS), ...Object.keys(INSTALLED)];
    expect(names.filter((name) => !readme.includes(`npm run start:other -- ${name}\``))).toEqual([]);
  });

  it.each(ADAPTERS)(`stays within ${MAX_LINES} lines in %s`, (file) => {
    const lines = readFileSync(`sample/08-other-frameworks/${file}`, 'utf8').trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(MAX_LINES);
  });

  it.each([...new Set(Object.values(INSTALLED).map(({ folder }) => folder))])(
    'pins the packages of %s without naming a host, and runs nothing at their installation',
    (folder) => {
      const text = readFileSync(`sample/08-other-frameworks/${folder}/package-lock.json`, 'utf8');
      const { packages } = JSON.parse(text) as {
        packages: Record<string, { resolved?: string; integrity?: string; hasInstallScript?: boolean }>;
      };
      const entries = Object.entries(packages).filter(([path]) => path !== '');
      const loose = entries.filter(([path, { resolved, integrity, hasInstallScript }]) =>
        path === 'node_modules/nest-sessions'
          ? resolved !== 'file:../../..'
          : resolved !== undefined || integrity === undefined || hasInstallScript === true,
      );
      expect(loose.map(([path]) => path)).toEqual([]);
    },
  );
});
