// The package as users get it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Packs the built package into a new folder; returns the folder, the tarball and its files. */
export function pack() {
  if (!existsSync(join(root, 'dist/index.js')))
    throw new Error('dist/index.js is missing: run npm run build first');
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-'));
  const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  const [{ filename, files }] = JSON.parse(output.toString());
  return { folder, tarball: join(folder, filename), files: files.map(({ path }) => path) };
}

/** Unpacks a tarball; returns the folder of its package.json. */
export function unpack(tarball, folder) {
  execFileSync('tar', ['-xzf', tarball, '-C', folder]);
  return join(folder, 'package');
}
