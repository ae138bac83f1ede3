import { join } from 'node:path/posix';

/**
 * The pages of the site, in the order of the sidebar. A guide that is added gets a line here; `test/docs/site.spec.ts` fails
 * for one that has none.
 */
export interface PageGroup {
  readonly title: string;
  /** File of the repository, and the text of the link in the sidebar. */
  readonly pages: Readonly<Record<string, string>>;
  /** The group is folded until the reader opens it, or is on one of its pages. */
  readonly isFolded?: boolean;
}

/** The address of the repository. A placeholder, see "To be filled at publication" in CONTRIBUTING.md. */
export const REPOSITORY = 'https://git.example.com/nest-sessions/nest-sessions';

export const GUIDES: readonly PageGroup[] = [
  {
    title: 'Start',
    pages: {
      'README.md': 'Five-minute start',
      'docs/guides/nest-add.md': 'nest add',
      'docs/guides/in-pictures.md': 'How it works, in pictures',
      'docs/guides/tasks.md': 'Sessions by task',
      'sample/README.md': 'Samples',
    },
  },
  {
    title: 'In your application',
    pages: {
      'docs/guides/routes-and-claims.md': 'Routes and claims',
      'docs/guides/website.md': 'The website’s side',
      'docs/guides/typed-content.md': 'Typed and checked content',
      'docs/guides/lifetimes-and-devices.md': 'Lifetimes, limits, devices',
      'docs/guides/finding-sessions.md': 'Everybody’s sessions',
      'docs/guides/audit-trail.md': 'The audit trail',
      'docs/guides/provider-logout.md': 'The provider’s sign-out',
      'docs/guides/impersonation.md': 'Acting for a user, jobs, hand-over',
      'docs/guides/composing.md': 'A session or an API key',
      'docs/guides/graphql.md': 'GraphQL',
      'docs/guides/websocket.md': 'WebSockets and streams',
      'docs/guides/traps.md': 'Traps that fail silently',
    },
  },
  {
    title: 'With what you have',
    pages: {
      'docs/guides/recipes/context-and-logs.md': 'nestjs-cls and nestjs-pino',
      'docs/guides/recipes/casl.md': 'CASL',
      'docs/guides/recipes/health.md': 'Terminus',
      'docs/guides/recipes/throttler.md': '@nestjs/throttler',
      'docs/guides/recipes/swagger.md': 'Swagger',
      'docs/guides/recipes/messages.md': 'RpcSessionGuard for messages',
      'docs/guides/recipes/jobs.md': 'BullMQ, cron, command line',
      'docs/guides/recipes/tenants.md': 'Durable providers by tenant',
    },
  },
  {
    title: 'Testing',
    pages: {
      'docs/guides/testing.md': 'Testing your application',
      'docs/guides/doctor.md': 'The doctor',
    },
  },
  {
    title: 'Stores and cores',
    pages: {
      'docs/guides/cores-and-stores.md': 'Cores and stores',
      'docs/guides/databases.md': 'TypeORM, Drizzle, Kysely, Prisma',
      'docs/guides/redis.md': 'Redis and Valkey',
      'docs/guides/scaling.md': 'Scaling',
      'docs/guides/core-server-hardening.md': 'A core server in production',
      'docs/guides/sealed-keys.md': 'Keys sealed at rest',
    },
  },
  {
    title: 'Running it',
    pages: {
      'docs/guides/production-checklist.md': 'Before production',
      'docs/guides/dashboard.md': 'The dashboard',
      'docs/guides/observability.md': 'Events, traces, logs',
      'docs/guides/command-line.md': 'The command line',
      'docs/guides/rate-limits.md': 'Rate limits',
    },
  },
  {
    title: 'Security',
    pages: {
      'docs/guides/threat-model.md': 'Threat model',
      'docs/guides/device-bound.md': 'Sessions bound to the device',
    },
  },
  {
    title: 'Beyond one Nest application',
    pages: {
      'docs/guides/microservices.md': 'Microservices',
      'docs/guides/other-frameworks.md': 'Other frameworks',
      'docs/guides/python.md': 'Python on a served core',
    },
  },
  {
    title: 'Moving from',
    pages: {
      'docs/guides/moving-from-express-session.md': 'express-session',
      'docs/guides/moving-from-passport-jwt.md': 'passport-jwt',
      'docs/guides/moving-from-supertokens-node.md': 'supertokens-node',
      'docs/guides/changing-cores.md': 'One core to the other',
    },
  },
];

export const REFERENCE: readonly PageGroup[] = [
  {
    title: 'Reference',
    pages: {
      'docs/reference/options.md': 'Options',
      'docs/reference/routes.md': 'Routes',
      'docs/reference/errors.md': 'Errors',
      'docs/reference/events.md': 'Events',
    },
  },
];

export const FOUNDATIONS: readonly PageGroup[] = [
  {
    title: 'What it rests on',
    pages: {
      'docs/proof.md': 'What is proven, and how',
      'test/benchmark/README.md': 'Benchmark figures',
      'docs/security-requirements.md': 'Security requirements',
      'docs/advisories.md': 'Known faults of others',
      'docs/not-applicable.md': 'Rows that do not apply',
    },
  },
  {
    title: 'Protocols',
    pages: {
      'docs/protocol/sdk.md': 'The session recipe',
      'docs/protocol/core.md': 'The core',
      'docs/protocol/dbsc.md': 'DBSC',
      'docs/protocol/dpop.md': 'DPoP',
    },
  },
  {
    title: 'The project',
    pages: {
      'CHANGELOG.md': 'Changes',
      'SECURITY.md': 'Reporting a vulnerability',
      'CONTRIBUTING.md': 'Contributing',
    },
  },
];

export const GROUPS: readonly PageGroup[] = [...GUIDES, ...REFERENCE, ...FOUNDATIONS];

/** The page on which the site opens, which is also what a forge shows for the folder `docs`. */
export const HOME = 'docs/README.md';

/** The folder into which typedoc writes the API reference. */
export const API_FOLDER = 'build/docs-api';

/** Files of the repository whose address on the site is not their path below `docs`. */
const ADDRESSES: Readonly<Record<string, string>> = {
  [HOME]: 'index.md',
  'README.md': 'start.md',
  'CHANGELOG.md': 'changes.md',
  'SECURITY.md': 'security.md',
  'CONTRIBUTING.md': 'contributing.md',
  'sample/README.md': 'samples.md',
  'test/benchmark/README.md': 'benchmark.md',
};

/** The place that a file of the repository has on the site, as a path with `.md`; undefined for a file that is no page. */
export function addressOf(file: string): string | undefined {
  const address = ADDRESSES[file];
  if (address !== undefined) return address;
  if (!file.endsWith('.md')) return undefined;
  if (file.startsWith(`${API_FOLDER}/`)) return join('reference/api', file.slice(API_FOLDER.length));
  return file.startsWith('docs/') ? file.slice('docs/'.length) : undefined;
}

/** The file of the repository that a page of the site is made from. */
export function sourceOf(address: string): string {
  const special = Object.keys(ADDRESSES).find((file) => ADDRESSES[file] === address);
  if (special !== undefined) return special;
  return address.startsWith('reference/api/')
    ? join(API_FOLDER, address.slice('reference/api/'.length))
    : join('docs', address);
}
