// Measures the packages and bytes that nest-sessions adds to a Nest application, and those that supertokens-node adds, in one
// run. Needs the npm registry. `npm run package-size`, after a build; `--check` only checks the limits of nest-sessions.
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { pack, root } from './packed.mjs';

const MIB = 1024 * 1024;
/**
 * tldts, with its list of suffixes in several formats, has 4 MiB; the sources and their maps 2.5, the CommonJS files for Jest 1.2, the dashboard
 * 0.3. Some is left for newer releases of the two dependencies.
 */
const LIMITS = { packages: 4, bytes: 10.8 * MIB };

const { devDependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** The packages of every Nest application. */
const NEST = {
  '@nestjs/common': devDependencies['@nestjs/common'],
  '@nestjs/core': devDependencies['@nestjs/core'],
  '@nestjs/platform-express': devDependencies['@nestjs/platform-express'],
  'reflect-metadata': peerDependencies['reflect-metadata'],
  rxjs: peerDependencies.rxjs,
};

/** Installs into a new folder, without scripts; returns the octets of each installed package by its path. */
function install(folder, dependencies) {
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'measured', private: true, dependencies }),
  );
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { packages } = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
  return new Map(Object.keys(packages).map((path) => [path, octetsBelow(join(folder, path))]));
}

/** The octets of one package; packages in a node_modules of its own are counted separately. */
function octetsBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? sum : sum + octetsBelow(path);
    return entry.isSymbolicLink() ? sum : sum + lstatSync(path).size;
  }, 0);
}

function added(before, after) {
  const paths = [...after.keys()].filter((path) => !before.has(path));
  return {
    packages: paths.length,
    bytes: paths.reduce((sum, path) => sum + after.get(path), 0),
    names: paths.map((path) => path.replace(/^.*node_modules\//, '')),
  };
}

const inMib = (bytes) => `${(bytes / MIB).toFixed(2)} MiB`;

function compare(nest, ours) {
  const theirVersion = devDependencies['supertokens-node'];
  const theirs = added(nest, install(join(folder, 'theirs'), { ...NEST, 'supertokens-node': theirVersion }));
  const alone = added(new Map(), install(join(folder, 'alone'), { 'supertokens-node': theirVersion }));

  console.log('| beside a Nest application on Express | packages added | on disk |');
  console.log('| --- | --- | --- |');
  console.log(`| nest-sessions | ${ours.packages} (${ours.names.join(', ')}) | ${inMib(ours.bytes)} |`);
  console.log(`| supertokens-node ${theirVersion} | ${theirs.packages} | ${inMib(theirs.bytes)} |`);
  console.log(`| the same in an empty folder | ${alone.packages} | ${inMib(alone.bytes)} |`);
}

const { folder, tarball } = pack();
try {
  const nest = install(join(folder, 'nest'), NEST);
  const ours = added(nest, install(join(folder, 'ours'), { ...NEST, 'nest-sessions': `file:${tarball}` }));
  if (argv.includes('--check')) {
    console.log(`package-size: ${ours.packages} (${ours.names.join(', ')}), ${inMib(ours.bytes)}`);
  } else compare(nest, ours);

  if (ours.packages > LIMITS.packages || ours.bytes > LIMITS.bytes) {
    console.error(`package-size: the limits are ${LIMITS.packages} packages and ${inMib(LIMITS.bytes)}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
