// Which spec files share one module registry: those of a group, test/together/<group>.spec.ts or <group>-<part>.spec.ts. To load
// Nest and to run its code cold costs about a second of CPU for each registry. A file outside of the groups has its own.
const { readdirSync, readFileSync } = require('node:fs');
const { basename, join, sep } = require('node:path');

const ROOT = join(__dirname, '../..', sep);
const SPEC = /\.(e2e-)?spec\.ts$/;

/** The files of each group. No file belongs to two. */
const GROUPS = {
  lib: /^lib\//,
  e2e: /^test\/e2e\/(?!transports\/)/,
  transports: /^test\/e2e\/transports\//,
  core: /^test\/core\/embedded\//,
  remote: /^test\/core\/(remote|server)\//,
  sessions: /^test\/(sessions|http)\//,
  binding: /^test\/device-binding\//,
  doors: /^test\/(standalone|testing)\//,
  verify: /^test\/verify\//,
  dashboard: /^test\/dashboard\//,
  structure: /^test\/structure\//,
  checks: /^test\/(contract\/(memory-store|announcements)\.|(fuzz|histories|mutants|mutation|prove)\/)/,
};
/** The one group of scripts/e2e-variant.mjs, which names the files of it that its core is not for. */
const VARIANT_GROUPS = {
  variant: /^test\/(e2e\/(lifetimes\/)?[^/]+|device-binding\/(dbsc|dpop))\.e2e-spec\.ts$/,
};
const { E2E_CORE, E2E_LEFT_OUT = '' } = process.env;

/**
 * The reasons for which a file needs a registry of its own: replaced modules, modules that are loaded again, servers that take their time to start
 * and to die, and the browser client, which is one for each registry.
 */
const ALONE =
  /\b(unstable_mockModule|resetModules|startPostgres|startRedis|RunWithout)\b|website-client\.js'/;

/**
 * What `npm test` leaves to `npm run test:integration`: stores and their databases, cores over HTTP, several processes, the tools of
 * operators, other packages, other transports than HTTP, other runtimes, device binding, documents. By the folder or the group, or because the file
 * starts a database server or uses the browser client.
 */
const INTEGRATION = [
  /^test\/(cli|core\/(remote|server)|dashboard|device-binding|docs|doctor|load|other-frameworks|processes|recipes|types|verify)\//,
  /^test\/e2e\/(transports\/|rules\/two-copies\.)/,
  /^test\/contract\/(?!(memory-store|announcements)\.)/,
  /^test\/together\/(remote-\d|dashboard|binding|transports|verify)\./,
];
const OTHER_PARTS = /\b(startPostgres|startRedis)\b|website-client\.js'/;

function allSpecFiles() {
  return ['lib', 'test']
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true }).map((name) => join(folder, name)),
    )
    .map((file) => file.replaceAll(sep, '/'))
    .filter((file) => SPEC.test(file))
    .toSorted();
}

function specFiles(pattern) {
  const leftOut = E2E_LEFT_OUT.split(',');
  return allSpecFiles()
    .filter((file) => pattern.test(file) && !leftOut.includes(basename(file)))
    .filter((file) => !ALONE.test(readFileSync(join(ROOT, file), 'utf8')));
}

/** Whether a spec file, as a path from the root of the project, belongs to `npm run test:integration`. */
function isIntegration(file) {
  return (
    INTEGRATION.some((pattern) => pattern.test(file)) ||
    (/^test\/(?!structure\/)/.test(file) && OTHER_PARTS.test(readFileSync(join(ROOT, file), 'utf8')))
  );
}

/** @returns the members of a group's file, as paths from the root of the project */
function membersOf(groupFile) {
  const [, group, part = 1] = /^(\w+?)(?:-(\d+))?\.spec\.ts$/.exec(basename(groupFile)) ?? [];
  const pattern = (E2E_CORE === undefined ? GROUPS : VARIANT_GROUPS)[group];
  if (pattern === undefined) return [];
  const parts = readdirSync(__dirname).filter((name) => SPEC.test(name) && name.startsWith(group)).length;
  return specFiles(pattern).filter((_, index) => index % parts === Number(part) - 1);
}

/**
 * The part of a whole run that was asked for. A run that is given a path runs what the path selects.
 *
 * @param {readonly string[]} paths
 */
function partOf(paths) {
  const isWhole = E2E_CORE === undefined && paths.length === allSpecFiles().length;
  if (!isWhole) return paths;
  const isWanted = process.env.TEST_PART === 'integration';
  return paths.filter((path) => isIntegration(pathInProject(path)) === isWanted);
}

function pathInProject(path) {
  return path.slice(ROOT.length).replaceAll(sep, '/');
}

/**
 * Jest's filter of the selected files: a group of which every member is selected runs instead of its members, and so does one
 * that is selected by its own name. So `npm test` runs groups, and `npm test -- lib/http` the files of that folder.
 */
async function filter(allPaths) {
  const paths = partOf(allPaths);
  const selected = new Set(paths);
  const members = new Map(
    paths
      .filter((path) => path.startsWith(join(__dirname, sep)))
      .map((path) => [path, membersOf(path).map((member) => join(ROOT, member))]),
  );
  const whole = [...members].filter(([, files]) => {
    const ofIt = files.filter((file) => selected.has(file)).length;
    return files.length > 0 && (ofIt === files.length || ofIt === 0);
  });
  const inGroups = new Set(whole.flatMap(([, files]) => files));
  const running = new Set(whole.map(([group]) => group));
  return { filtered: paths.filter((path) => (members.has(path) ? running.has(path) : !inGroups.has(path))) };
}

module.exports = Object.assign(filter, { membersOf, allSpecFiles, ROOT });
