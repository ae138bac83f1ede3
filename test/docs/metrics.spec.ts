import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { DataPointType, MeterProvider } from '@opentelemetry/sdk-metrics';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import {
  CoreBadInputError,
  CoreResponseError,
  CoreUnavailableError,
  StoreFullError,
  TooManySessionsError,
  type SessionErrorType,
} from '../../lib/errors.js';
import { findOutcome } from '../../lib/events/telemetry.js';
import { RecipeDependencies } from '../../lib/sessions/recipe-dependencies.js';
import { TestApplication } from '../support/test-application.js';

/** A metric as an application emits it. */
interface Emitted {
  /** The name in OpenTelemetry. */
  readonly name: string;
  readonly kind: string;
  readonly unit: string;
  readonly attributes: readonly string[];
}

const exporter = new PrometheusExporter({ preventServerStart: true });
const provider = new MeterProvider({ readers: [exporter] });
let emitted: readonly Emitted[];
/** The labels of each series that Prometheus gets, by its name. */
let scraped: ReadonlyMap<string, ReadonlySet<string>>;

beforeAll(async () => {
  metrics.setGlobalMeterProvider(provider);
  await TestApplication.withoutServer()
    .with({ revocationFeed: { pollMs: 60_000 } })
    .run(async ({ app, sessions }) => {
      const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
      const { accessToken, refreshToken = '' } = session.getAllSessionTokensDangerously();
      await sessions.getSessionWithoutRequestResponse({ accessToken });
      await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
      await Promise.resolve(sessions.getSessionWithoutRequestResponse({ accessToken: 'x' })).catch(
        () => undefined,
      );
      await app.get(RecipeDependencies, { strict: false }).revocations?.read();
      await scrape(); // the count of sessions begins when somebody asks
      await sessions.countSessions();
      scraped = readExposition(await scrape());
      const { resourceMetrics } = await exporter.collect();
      emitted = resourceMetrics.scopeMetrics
        .flatMap(({ metrics: all }) => all)
        .map(({ descriptor: { name, unit }, dataPointType, dataPoints }) => ({
          name,
          unit,
          kind: DataPointType[dataPointType].toLowerCase(),
          attributes: [
            ...new Set(dataPoints.flatMap(({ attributes }) => Object.keys(attributes))),
          ].toSorted(),
        }));
    });
});

afterAll(async () => {
  metrics.disable();
  await provider.shutdown();
});

async function scrape(): Promise<string> {
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Reads Prometheus' text format. */
function readExposition(text: string): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>();
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const [, name = '', labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const known = series.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/([a-zA-Z_]\w*)="(?:[^"\\]|\\.)*"/g)) known.add(label);
    series.set(name, known);
  }
  series.delete('target_info');
  return series;
}

const SESSION_ERRORS: Readonly<Record<SessionErrorType, true>> = {
  UNAUTHORISED: true,
  TRY_REFRESH_TOKEN: true,
  TOKEN_THEFT_DETECTED: true,
  INVALID_CLAIMS: true,
  CLEAR_DUPLICATE_SESSION_COOKIES: true,
};
/** The failures, by the words of an application. */
const FAILURES = [
  new TooManySessionsError('', '', 1),
  new CoreBadInputError('x'),
  new StoreFullError('x'),
  new CoreUnavailableError('x'),
  new CoreResponseError('x'),
  new Error('x'),
].map(findOutcome);
/** The values of `nest_sessions.outcome`. */
const OUTCOMES = ['OK', ...Object.keys(SESSION_ERRORS), ...FAILURES];
/** The outcomes of a sign-in or a refresh only, which no verification has. */
const NO_REFUSALS = ['OK', 'TOKEN_THEFT_DETECTED', 'TOO_MANY_SESSIONS', 'BAD_INPUT', 'STORE_FULL'];
/** The values of `nest_sessions.reason`. */
const REASONS = ['NO_TOKEN', ...OUTCOMES.filter((word) => !NO_REFUSALS.includes(word))];
const VALUES: Readonly<Record<string, readonly string[]>> = {
  nest_sessions_outcome: OUTCOMES,
  nest_sessions_reason: REASONS,
};

/** Returns the values of these labels that a query asks for and no application emits. */
function unknownValues(query: string): string[] {
  const asked = [...query.matchAll(/(nest_sessions_\w+)\s*(?:=|!=|=~|!~)\s*"([^"]*)"/g)];
  return asked.flatMap(([, label = '', value = '']) =>
    value.split('|').filter((word) => VALUES[label]?.includes(word) === false),
  );
}

/** The rows of the guide. */
function table() {
  const guide = readFileSync('docs/guides/observability.md', 'utf8');
  const rows = guide.matchAll(
    /^\| `(nest_sessions\.[\w.]+)` +\| (.*?) +\| (.*?) *\| `(nest_sessions_\w+)` +\|$/gm,
  );
  return [...rows].map(([, name = '', kind = '', by = '', exported = '']) => ({
    name,
    kind: /^(counter|histogram|gauge)/.exec(kind)?.[0],
    isInSeconds: kind.includes('seconds'),
    attributes: [...by.matchAll(/`(nest_sessions\.\w+)`/g)].map(([, attribute = '']) => attribute).toSorted(),
    exported,
  }));
}

const KINDS: Readonly<Record<string, string>> = { sum: 'counter', gauge: 'gauge', histogram: 'histogram' };
const toPrometheus = (name: string): string => name.replaceAll('.', '_');

describe('the table of metrics', () => {
  it('has what an application emits, and nothing else: names, kinds, units, attributes', () => {
    const rows = table().map(({ exported: _name, ...row }) => row);
    const found = emitted.map(({ name, kind, unit, attributes }) => ({
      name,
      kind: KINDS[kind],
      isInSeconds: unit === 's',
      attributes,
    }));
    expect(rows.toSorted(byName)).toEqual(found.toSorted(byName));
  });

  it('lists the reasons of a refusal, and the outcomes', () => {
    const guide = readFileSync('docs/guides/observability.md', 'utf8');
    const words = (text: string | undefined): string[] =>
      [...(text ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, word = '']) => word).toSorted();
    expect(words(/^\| `nest_sessions\.refusals`.*$/m.exec(guide)?.[0])).toEqual(REASONS.toSorted());
    expect(words(/^`nest_sessions\.outcome` is (?:.+\n)+/m.exec(guide)?.[0])).toEqual(OUTCOMES.toSorted());
  });

  it('has the names that Prometheus scrapes', () => {
    const bases = [...scraped.keys()].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    expect(
      table()
        .map(({ exported }) => exported)
        .toSorted(),
    ).toEqual([...new Set(bases)].toSorted());
  });
});

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name.localeCompare(b.name);
}

/** Labels that a scrape adds. */
const OF_PROMETHEUS = ['job', 'instance'];

/** The series with their labels as Prometheus names them where it receives OTLP. */
function receivedByOtlp(): Map<string, ReadonlySet<string>> {
  return new Map(
    emitted.flatMap(({ name, unit, kind, attributes }) => {
      const base = toPrometheus(name) + (unit === 's' ? '_seconds' : '');
      const labels = attributes.map(toPrometheus);
      if (kind === 'sum') return [[`${base}_total`, new Set(labels)] as const];
      if (kind === 'gauge') return [[base, new Set(labels)] as const];
      return ['bucket', 'sum', 'count'].map(
        (part) => [`${base}_${part}`, new Set([...labels, ...(part === 'bucket' ? ['le'] : [])])] as const,
      );
    }),
  );
}

/** The series of a query, and every label that it names; fails for what is no PromQL. */
function readQuery(query: string): { names: string[]; labels: string[] } {
  const text = query.replaceAll('$__rate_interval', '5m');
  const [names, labels]: [string[], string[]] = [[], []];
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`No PromQL near ${from}: ${text}`);
      if (type.name === 'Identifier') names.push(text.slice(from, to));
      if (type.name === 'LabelName') labels.push(text.slice(from, to));
    },
  });
  return { names, labels };
}

interface Board {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { expr: string; legendFormat: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly query: string }[] };
}
interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

describe.each(['prometheus-exporter', 'otlp'])('the board and the alerts for %s', (way) => {
  const board = JSON.parse(readFileSync(`docs/metrics/${way}/grafana-board.json`, 'utf8')) as Board;
  const { groups } = parse(readFileSync(`docs/metrics/${way}/alert-rules.yml`, 'utf8')) as Rules;
  const targets = board.panels.flatMap((panel) => panel.targets);
  const queries = [
    ...targets.map(({ expr }) => expr),
    ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ];
  const known = (): ReadonlyMap<string, ReadonlySet<string>> => (way === 'otlp' ? receivedByOtlp() : scraped);

  it('ask for series and labels that an application emits, in PromQL', () => {
    expect(queries.length).toBeGreaterThan(20);
    for (const query of queries) {
      const { names, labels } = readQuery(query);
      expect({ query, unknown: names.filter((name) => !known().has(name)) }).toEqual({ query, unknown: [] });
      expect(names.length).toBeGreaterThan(0);
      const emittedLabels = names.flatMap((name) => [...(known().get(name) ?? [])]);
      const unknown = labels.filter((label) => ![...emittedLabels, ...OF_PROMETHEUS].includes(label));
      expect({ query, unknown }).toEqual({ query, unknown: [] });
    }
  });

  it('ask for outcomes and reasons that there are', () => {
    expect(queries.join('\n')).toMatch(/nest_sessions_outcome=~"CORE_UNAVAILABLE\|/);
    expect(queries.flatMap(unknownValues)).toEqual([]);
  });

  it('ask for events that there are', () => {
    const documented = readFileSync('docs/reference/events.md', 'utf8');
    const values = queries.flatMap((query) => [...query.matchAll(/nest_sessions_event=~?"([^"]+)"/g)]);
    const types = values.flatMap(([, value = '']) => value.split('|'));
    expect(types.length).toBeGreaterThan(5);
    expect(types.filter((type) => !documented.includes(`| \`${type}\``))).toEqual([]);
  });

  it('name labels in legends that the query keeps, and a series in the choice of jobs', () => {
    for (const { expr, legendFormat } of targets) {
      const { names, labels } = readQuery(expr);
      const kept = [...labels, ...names.flatMap((name) => [...(known().get(name) ?? [])]), ...OF_PROMETHEUS];
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      expect({ expr, unknown: shown.filter((label = '') => !kept.includes(label)) }).toEqual({
        expr,
        unknown: [],
      });
    }
    const [, name = ''] = /^label_values\((\w+), job\)$/.exec(board.templating.list[1]?.query ?? '') ?? [];
    expect([...known().keys()]).toContain(name);
  });

  it('watch thefts, failing refreshes, a stale feed and the age of the key', () => {
    expect(groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))).toEqual(
      expect.arrayContaining([
        'NestSessionsTokenTheft',
        'NestSessionsRefreshFailures',
        'NestSessionsFeedStale',
        'NestSessionsSigningKeyOld',
      ]),
    );
  });
});

describe('the reader of queries', () => {
  it('finds a name that is not emitted, a label that is not there, and text that is no query', () => {
    expect(readQuery('sum by (nope) (rate(nest_sessions_gone_total{a="b"}[$__rate_interval]))')).toEqual({
      names: ['nest_sessions_gone_total'],
      labels: ['nope', 'a'],
    });
    expect(() => readQuery('sum(rate(x[5m])')).toThrow('No PromQL');
  });

  it('finds a value that no application emits', () => {
    const query = 'x{nest_sessions_outcome=~"CORE_UNAVAILBLE|OK", nest_sessions_reason!="NO_TOKENS"}';
    expect(unknownValues(query)).toEqual(['CORE_UNAVAILBLE', 'NO_TOKENS']);
  });
});

it('the files are what `npm run docs:metrics` writes', () => {
  expect(() => execFileSync(process.execPath, ['scripts/docs/metrics.mjs', '--check'])).not.toThrow();
});
