// npm run load: how many calls a second three instances take, see docs/proof.md.
//   npm run load                         the ramps; writes docs/load.svg and the table of docs/proof.md
//   npm run load -- --soak 60            60 minutes at one rate (--rate N): fails if heap, handles or file descriptors grow
//   npm run load -- --store sqlite --quick --chart FILE --page FILE
import { dirname, join } from 'node:path';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { bundleProgram, decorators } from '../support/bundle.mjs';
import { runNode } from '../support/run-node.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const [program, main] = await Promise.all(
  ['test/histories/application/instance.ts', 'test/load/main.ts'].map(async (name) =>
    bundleProgram(root, name, [decorators]),
  ),
);
exit(await runNode([main, '--program', program, ...argv.slice(2)], { cwd: root }));
