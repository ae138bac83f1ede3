// Compiles the TypeScript of the folder in which it runs, each file beside its source, for a Node without Jest. Stryker runs it in its
// copy of the project, where the sources already contain the mutants.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { transformSync } from '@swc/core';
import { glob } from 'tinyglobby';

const DOORS = ['core', 'standalone', 'testing', 'doctor', 'verify'];

/** As in jest.config.ts. */
const SWC = {
  swcrc: false,
  configFile: false,
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    keepClassNames: true,
  },
  module: { type: 'es6' },
};

for (const file of await glob(['lib/**/*.ts', 'test/**/*.ts', 'sample/**/*.ts'], {
  ignore: ['**/node_modules/**', '**/*.d.ts'],
})) {
  const { code } = transformSync(readFileSync(file, 'utf8'), { ...SWC, filename: file });
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
