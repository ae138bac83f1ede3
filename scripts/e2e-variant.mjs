// Runs the e2e suites with another core instead of the embedded one in memory: sqlite, postgres, redis, or remote, which is a served
// core over CDI 5.4; remote-5.0 and remote-5.6 speak these versions. Further arguments go to jest. PostgreSQL: the server at PG_URL, or one that is started for the run; when it cannot be started the
// suites are skipped, or fail with PG_REQUIRED=1.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { argv, env, execPath, exit } from 'node:process';
import { startEmbeddedPostgres } from '../test/support/embedded-postgres.mjs';
import { OWN_STORES } from '../test/support/own-stores.mjs';
import { NOT_FOR_REMOTE } from '../test/support/variant-environment.mjs';

const VARIANTS = ['remote', 'remote-5.0', 'remote-5.6', 'sqlite', 'postgres', 'redis'];
const [variant = '', ...forJest] = argv.slice(2);
const [core, cdiVersion] = variant.split('-');

if (!VARIANTS.includes(variant)) {
  console.error(`Say which core: ${VARIANTS.join(', ')}`);
  exit(2);
}
if (variant !== 'postgres' || env.PG_URL) exit(await runTests({}));

const server = await startEmbeddedPostgres().catch((error) => {
  const reason = `the e2e tests need a PostgreSQL, which cannot be started (${error?.message}); give PG_URL.`;
  if (env.PG_REQUIRED === '1') {
    console.error(`FAILED: ${reason}`);
    exit(1);
  }
  console.log(`SKIPPED: ${reason}`);
  exit(0);
});
const status = await runTests({ PG_URL: server.url });
await server.stop();
exit(status);

async function runTests(more) {
  // Our arguments come last, because an option with several values would take them as values.
  // Of bound sessions the ways of life, not the corpora of wrong proofs, which no core sees.
  const suites = ['e2e/*', 'e2e/lifetimes/*', 'device-binding/{dbsc,dpop}'].map(
    (files) => `--testMatch=**/test/${files}.e2e-spec.ts`,
  );
  const leftOut = core === 'remote' ? wholeFilesNotForRemote() : OWN_STORES;
  const jest = [
    'node_modules/jest/bin/jest.js',
    ...forJest,
    ...suites,
    '--testMatch=**/test/together/variant-*.spec.ts',
  ];
  jest.push(...leftOut.map((file) => `--testPathIgnorePatterns=/e2e/(lifetimes/)?${file}$`));
  if (core === 'remote') jest.push('--env=<rootDir>/test/support/variant-environment.mjs');
  const child = spawn(execPath, ['--experimental-vm-modules', '--no-warnings', ...jest], {
    env: {
      ...env,
      ...more,
      E2E_CORE: core,
      E2E_LEFT_OUT: leftOut.join(),
      ...(cdiVersion && { E2E_CDI: cdiVersion }),
    },
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

function wholeFilesNotForRemote() {
  return Object.keys(NOT_FOR_REMOTE).filter((file) => typeof NOT_FOR_REMOTE[file] === 'string');
}
