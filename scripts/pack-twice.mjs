// Builds and packs two clean clones of the present commit in folders of different names, and compares the tarballs: whoever has the
// commit can make the published file again. `npm run pack:twice`; the packages are those of this folder.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './packed.mjs';

const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-twice-'));

/** Clones, builds and packs; returns the hash of the tarball, and of each of its files by name. */
function packClone(name) {
  const clone = join(folder, name);
  const run = (command, ...args) =>
    execFileSync(command, args, { cwd: clone, stdio: ['ignore', 'pipe', 'inherit'] });
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', root, clone]);
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'), 'junction');
  run('npm', 'run', '--silent', 'build');
  const [{ filename }] = JSON.parse(run('npm', 'pack', '--json', '--ignore-scripts').toString());
  run('tar', '-xzf', filename);
  const unpacked = join(clone, 'package');
  const files = readdirSync(unpacked, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const hashes = files
    .map((file) => join(file.parentPath, file.name))
    .map((path) => [path.slice(unpacked.length + 1), hash(path)]);
  return { tarball: hash(join(clone, filename)), files: new Map(hashes) };
}

function hash(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

try {
  const [one, two] = ['one', 'another-folder'].map(packClone);
  const different = [...new Set([...one.files.keys(), ...two.files.keys()])].filter(
    (name) => one.files.get(name) !== two.files.get(name),
  );
  if (one.tarball === two.tarball) console.log(`pack-twice: the same twice, sha256 ${one.tarball}`);
  else {
    console.error(
      `pack-twice: ${one.tarball} and ${two.tarball} differ: ${different.join(', ') || 'only in the archive'}`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
