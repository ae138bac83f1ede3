// Compiles the TypeScript of the folder in which it runs, by its .swcrc, each file beside its source, for a Node without Jest. Stryker
// runs it in its copy of the project, where the sources already contain the mutants.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { transformFileSync } from '@swc/core';
import { glob } from 'tinyglobby';

const DOORS = ['core', 'standalone', 'testing', 'doctor', 'verify'];

for (const file of await glob(['lib/**/*.ts', 'test/**/*.ts', 'sample/**/*.ts'], {
  ignore: ['**/node_modules/**', '**/*.d.ts'],
})) {
  const { code } = transformFileSync(file);
  const globals = relative(dirname(file), 'test/mutation/jest-globals.mjs');
  writeFileSync(
    file.replace(/\.ts$/, '.js'),
    code.replaceAll(
      /(?<=from ['"])@jest\/globals(?=['"])/g,
      globals.startsWith('.') ? globals : `./${globals}`,
    ),
  );
}
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const doors = Object.fromEntries(DOORS.map((door) => [`./${door}`, `./lib/${door}/index.js`]));
writeFileSync('package.json', JSON.stringify({ ...manifest, exports: { '.': './lib/index.js', ...doors } }));
