import {
  BACK_CHANNEL_LOGOUT_OPTIONS,
  LOGOUT_PROVIDER_OPTIONS,
} from '../../lib/options/back-channel-logout-options.js';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { EMBEDDED_CORE_OPTIONS } from '../../lib/core/embedded/embedded-core-config.js';
import { REMOTE_CORE_OPTIONS } from '../../lib/core/remote/remote-core-config.js';
import { SESSION_CORE_OPTIONS } from '../../lib/core/server/session-core-options.js';
import { APP_INFO_OPTIONS } from '../../lib/options/app-info.js';
import {
  DEVICE_OPTIONS,
  FEATURE_OPTIONS,
  LIFETIME_OPTIONS,
  LIMIT_OPTIONS,
  USER_SESSION_ROUTE_OPTIONS,
} from '../../lib/options/feature-options.js';
import { OBSERVABILITY_OPTIONS, RATE_LIMIT_OPTIONS } from '../../lib/options/observability-options.js';
import type { OptionTable } from '../../lib/options/option-table.js';
import { WIRE_OPTIONS } from '../../lib/options/wire-options.js';
import {
  MEMORY_STORE_OPTIONS,
  POSTGRES_STORE_OPTIONS,
  REDIS_STORE_OPTIONS,
  SQLITE_STORE_OPTIONS,
} from '../../lib/stores/store-options.js';
import { AUDIT_OPTIONS, AUDIT_TRAIL_OPTIONS } from '../../lib/audit/audit-options.js';
import { FEED_OPTIONS, REVOCATION_FEED_OPTIONS } from '../../lib/feed/feed-options.js';
import { MODULE_OPTIONS } from '../../lib/session.options.js';

const PAGE = readFileSync('docs/reference/options.md', 'utf8');

const TABLES: Readonly<Record<string, OptionTable>> = {
  'SessionModule.forRoot': {
    ...WIRE_OPTIONS,
    ...FEATURE_OPTIONS,
    ...OBSERVABILITY_OPTIONS,
    ...FEED_OPTIONS,
    ...AUDIT_TRAIL_OPTIONS,
    ...MODULE_OPTIONS,
  },
  appInfo: APP_INFO_OPTIONS,
  lifetime: LIFETIME_OPTIONS,
  maxSessionsPerUser: LIMIT_OPTIONS,
  devices: DEVICE_OPTIONS,
  userSessionRoutes: USER_SESSION_ROUTE_OPTIONS,
  backChannelLogout: BACK_CHANNEL_LOGOUT_OPTIONS,
  'backChannelLogout.providers': LOGOUT_PROVIDER_OPTIONS,
  rateLimit: RATE_LIMIT_OPTIONS,
  revocationFeed: REVOCATION_FEED_OPTIONS,
  audit: AUDIT_OPTIONS,
  embeddedCore: EMBEDDED_CORE_OPTIONS,
  memoryStore: MEMORY_STORE_OPTIONS,
  sqliteStore: SQLITE_STORE_OPTIONS,
  postgresStore: POSTGRES_STORE_OPTIONS,
  redisStore: REDIS_STORE_OPTIONS,
  remoteCore: REMOTE_CORE_OPTIONS,
  'SessionCoreModule.forRoot': SESSION_CORE_OPTIONS,
};

/** The default in the documentation, by heading and option. */
function documentedDefaults(): Map<string, Map<string, string>> {
  const sections = PAGE.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const rows = [...section.matchAll(/^\| `([^`]+)` *\| `.*?[^\\]` *\| (.*?) *\|/gm)];
      return [
        /`(.+)`/.exec(section)?.[1] ?? '',
        new Map(rows.map(([, name = '', fallback = '']) => [name, fallback] as const)),
      ] as const;
    }),
  );
}

/** A default as the documentation writes it; undefined for one that only words can describe. */
function written(fallback: unknown): string | undefined {
  if (typeof fallback === 'number')
    return fallback < 10_000 ? String(fallback) : fallback.toLocaleString('en');
  if (typeof fallback === 'boolean') return String(fallback);
  if (typeof fallback === 'string' && fallback !== '' && fallback !== 'auto') return `\`${fallback}\``;
  return undefined;
}

describe('the reference of the options', () => {
  it('is what `npm run docs:options` writes', () => {
    const written = execFileSync(process.execPath, ['scripts/options-reference.mjs', '--print'], {
      encoding: 'utf8',
    });
    expect(PAGE).toBe(written);
  });

  const documented = documentedDefaults();

  it.each(Object.entries(TABLES))('of %s has each option of the table', (heading, table) => {
    const names = [...(documented.get(heading)?.keys() ?? [])].filter((name) => !name.startsWith('['));
    expect(names.sort()).toEqual(Object.keys(table).sort());
  });

  it.each(
    Object.entries(TABLES).flatMap(([heading, table]) =>
      Object.entries(table).map(([name, row]) => [heading, name, row] as const),
    ),
  )('of %s gives the default of %s as the code has it', (heading, name, row) => {
    const text = documented.get(heading)?.get(name) ?? '';
    const expected = 'remedy' in row ? 'required' : written(row.fallback);
    const isLiteral = /^([\d,.]+|true|`[^`]*`)$/.test(text);
    const first = text.split(/[ :](?=\(|\s|$)/)[0];
    expect(expected === undefined ? isLiteral : first).toBe(expected ?? false);
  });
});
