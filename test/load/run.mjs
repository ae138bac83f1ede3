// npm run load: how many calls a second three instances take, see docs/proof.md.
//   npm run load                         the ramps; writes docs/load.svg and the table of docs/proof.md
//   npm run load -- --soak 60            60 minutes at one rate (--rate N): fails if heap, handles or file descriptors grow
//   npm run load -- --store sqlite --quick --chart FILE --page FILE
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { argv, execPath, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { bundleProgram, decorators } from '../support/bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const [program, main] = await Promise.all(
  ['test/histories/application/instance.ts', 'test/load/main.ts'].map(async (name) =>
    bundleProgram(root, name, [decorators]),
  ),
);
const child = spawn(execPath, [main, '--program', program, ...argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
child.on('close', (status) => exit(status ?? 1));
