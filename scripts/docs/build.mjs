// Builds the documentation site into build/site: the API reference by typedoc, then the pages by VitePress. A warning of either is an
// error, and so is a result that does not work offline (check-site.mjs).
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exit, argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { checkSite } from './check-site.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const site = join(root, 'build/site');
// Lines that a build prints without anything being wrong.
const WARNING = /warn|\(!\)|error|deprecat/i;

run('typedoc', ['typedoc']);
rmSync(site, { recursive: true, force: true });
run('vitepress', ['vitepress', 'build', 'docs']);
const problems = checkSite(site, argv.includes('--print-sizes'));
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? `The site is in ${site}` : `${problems.length} problems`);
exit(problems.length === 0 ? 0 : 1);

function run(name, command) {
  const began = Date.now();
  const { status, stdout, stderr } = spawnSync('npx', ['--no-install', ...command], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', CI: 'true' },
    maxBuffer: 64 * 1024 * 1024,
  });
  const output = `${stdout}${stderr}`;
  mkdirSync(join(root, 'build'), { recursive: true });
  writeFileSync(join(root, `build/docs-${name}.log`), output);
  const warnings = output.split('\n').filter((line) => WARNING.test(line));
  console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  if (status === 0 && warnings.length === 0) return;
  console.error(output);
  console.error(`${name} ${status === 0 ? `warns:\n${warnings.join('\n')}` : `failed with ${status}`}`);
  exit(1);
}
