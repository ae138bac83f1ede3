import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly if?: string;
  readonly needs?: string;
  readonly environment?: string;
  readonly permissions: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

const text = readFileSync('.github/workflows/release.yml', 'utf8');
const workflow = parse(text) as {
  readonly on: unknown;
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<'build' | 'publish', Job>>;
};
const { build, publish } = workflow.jobs;
const steps = [...build.steps, ...publish.steps];
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

describe('the release workflow (S107)', () => {
  it('pins each action by its commit, with the version beside it', () => {
    const lines = text.split('\n').filter((line) => line.includes('uses:'));
    expect(lines).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length);
    for (const line of lines) expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('has no rights but those of each job: reading to build, and an identity to publish', () => {
    expect(workflow.permissions).toEqual({});
    expect(build.permissions).toEqual({ contents: 'read' });
    expect(publish.permissions).toEqual({ 'id-token': 'write' });
    expect(Object.keys(workflow.jobs)).toEqual(['build', 'publish']);
  });

  it('keeps no secret, and runs for tags alone, once a maintainer has switched it on', () => {
    expect(text).not.toMatch(/secrets\.|NODE_AUTH_TOKEN|_authToken|GITHUB_TOKEN/);
    expect(workflow.on).toEqual({ push: { tags: ['v*'] } });
    expect(build.if).toBe("vars.RELEASES == 'on'");
    expect([publish.needs, publish.environment]).toEqual(['build', 'npm']);
  });

  it('runs no code of the repository or of a package where it can publish', () => {
    expect(publish.steps.flatMap(({ uses }) => uses?.split('@')[0] ?? [])).toEqual([
      'actions/download-artifact',
      'actions/setup-node',
    ]);
    expect(publish.steps.flatMap(({ run }) => run ?? [])).toEqual([
      'sha256sum --check --strict SHA256SUMS',
      'npm publish ./*.tgz --provenance --access public --ignore-scripts',
    ]);
  });

  it('puts nothing from the event into a command, and leaves no credentials in the checkout', () => {
    expect(steps.filter(({ run }) => run?.includes('${{') === true)).toEqual([]);
    const checkout = steps.find(({ uses }) => uses?.startsWith('actions/checkout@') === true);
    expect(checkout?.with?.['persist-credentials']).toBe(false);
  });

  it('calls scripts that are there', () => {
    const called = [...text.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, name]) => name ?? '');
    expect(called.length).toBeGreaterThan(3);
    expect(called.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
