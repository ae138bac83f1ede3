// Writes the Grafana board and the alert rules of docs/metrics, for both ways on which OpenTelemetry's metrics reach Prometheus.
//   --check    writes nothing; exit code 1 when a file differs
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { stringify } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Metrics in seconds: Prometheus puts the unit into the name where it receives OTLP, the exporter of the SDK does not. */
const IN_SECONDS = [
  'nest_sessions_refresh_duration',
  'nest_sessions_core_call_duration',
  'nest_sessions_revocations_age',
  'nest_sessions_signing_key_age',
];

const JOB = 'job=~"$job"';
const RATE = '$__rate_interval';
const FAILED = 'nest_sessions_outcome=~"CORE_UNAVAILABLE|CORE_RESPONSE|ERROR"';

const eventsOf = (type, more = '') => `nest_sessions_events_total{nest_sessions_event="${type}"${more}}`;
const perSecond = (by, series) => `sum by (${by}) (rate(${series}[${RATE}]))`;

/** [title, kind, unit, width, queries by legend, description] */
const PANELS = [
  [
    'Live sessions',
    'stat',
    'short',
    6,
    { '': `max(nest_sessions_live_sessions{${JOB}})` },
    'Counted to 10000: that many, or more.',
  ],
  [
    'Thefts in 24 hours',
    'stat',
    'short',
    6,
    { '': `sum(increase(${eventsOf('session.theft-detected', `, ${JOB}`)}[24h]))` },
    'Retired refresh tokens that came back.',
  ],
  [
    'Instances with a stale feed',
    'stat',
    'short',
    6,
    { '': `sum(nest_sessions_revocations_stale{${JOB}})` },
    'They do not know which sessions ended in others. No data without the option revocationFeed.',
  ],
  [
    'Age of the signing key',
    'stat',
    's',
    6,
    { '': `max(nest_sessions_signing_key_age{${JOB}})` },
    'Of the newest rotating key; it rotates once a week by default.',
  ],
  [
    'Sessions: begun, refreshed, ended',
    'timeseries',
    'ops',
    12,
    {
      '{{nest_sessions_event}}': perSecond(
        'nest_sessions_event',
        `nest_sessions_events_total{nest_sessions_event=~"session.created|session.refreshed|session.revoked", ${JOB}}`,
      ),
    },
  ],
  [
    'Refused requests',
    'timeseries',
    'ops',
    12,
    { '{{nest_sessions_reason}}': perSecond('nest_sessions_reason', `nest_sessions_refusals_total{${JOB}}`) },
    'TRY_REFRESH_TOKEN is the ordinary end of an access token.',
  ],
  [
    'Security events',
    'timeseries',
    'ops',
    12,
    {
      '{{nest_sessions_event}}': perSecond(
        'nest_sessions_event',
        `nest_sessions_events_total{nest_sessions_event=~"session.theft-detected|session.hand-over-refused|session.claims-rejected|session.new-device|device.proof-refused", ${JOB}}`,
      ),
    },
  ],
  [
    'Refreshes by outcome',
    'timeseries',
    'ops',
    12,
    {
      '{{nest_sessions_outcome}}': perSecond(
        'nest_sessions_outcome',
        `nest_sessions_refresh_duration_count{${JOB}}`,
      ),
    },
  ],
  [
    'Duration of refreshes',
    'timeseries',
    's',
    12,
    Object.fromEntries(
      [0.5, 0.95, 0.99].map((q) => [
        `p${q * 100}`,
        `histogram_quantile(${q}, ${perSecond('le', `nest_sessions_refresh_duration_bucket{${JOB}}`)})`,
      ]),
    ),
  ],
  [
    'Calls to store or core, 95th percentile',
    'timeseries',
    's',
    12,
    {
      '{{nest_sessions_operation}}': `histogram_quantile(0.95, ${perSecond('le, nest_sessions_operation', `nest_sessions_core_call_duration_bucket{${JOB}}`)})`,
    },
  ],
  [
    'Failed calls to store or core',
    'timeseries',
    'ops',
    12,
    {
      '{{nest_sessions_operation}} {{nest_sessions_outcome}}': perSecond(
        'nest_sessions_operation, nest_sessions_outcome',
        `nest_sessions_core_call_duration_count{${FAILED}, ${JOB}}`,
      ),
    },
  ],
  [
    'Age of what is known of ended sessions',
    'timeseries',
    's',
    12,
    { '{{instance}} {{nest_sessions_state}}': `nest_sessions_revocations_age{${JOB}}` },
    'A session that was ended elsewhere may still be accepted for so long.',
  ],
  [
    'Kept in memory: ended sessions',
    'timeseries',
    'short',
    12,
    { '{{instance}}': `nest_sessions_revocations_kept{${JOB}}` },
  ],
  [
    'Kept in memory: verified tokens',
    'timeseries',
    'short',
    12,
    { '{{instance}}': `nest_sessions_cached_tokens{${JOB}}` },
  ],
];

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

function panels() {
  let [x, y] = [0, 0];
  return PANELS.map(([title, type, unit, w, queries, description = ''], index) => {
    const h = type === 'stat' ? 4 : 8;
    if (x + w > 24) [x, y] = [0, y + (PANELS[index - 1][1] === 'stat' ? 4 : 8)];
    const gridPos = { x, y, w, h };
    x += w;
    const targets = Object.entries(queries).map(([legendFormat, expr], at) => ({
      refId: String.fromCharCode(65 + at),
      datasource: DATASOURCE,
      expr,
      legendFormat,
    }));
    const fieldConfig = { defaults: { unit, min: 0 }, overrides: [] };
    return {
      id: index + 1,
      title,
      description,
      type,
      datasource: DATASOURCE,
      gridPos,
      fieldConfig,
      options: {},
      targets,
    };
  });
}

const BOARD = {
  title: 'nest-sessions',
  uid: 'nest-sessions',
  tags: ['nest-sessions'],
  schemaVersion: 39,
  editable: true,
  time: { from: 'now-6h', to: 'now' },
  refresh: '1m',
  templating: {
    list: [
      { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
      {
        name: 'job',
        label: 'Job',
        type: 'query',
        datasource: DATASOURCE,
        query: 'label_values(nest_sessions_cached_tokens, job)',
        refresh: 2,
        includeAll: true,
        multi: true,
        allValue: '.*',
        current: { text: 'All', value: '$__all' },
      },
    ],
  },
  panels: panels(),
};

/** The first event of a kind begins a series, whose increase Prometheus does not see: it is looked for by itself. */
const happened = (type, range) =>
  `sum by (job) (increase(${eventsOf(type)}[${range}])) > 0 or sum by (job) (${eventsOf(type)} unless ${eventsOf(type)} offset ${range}) > 0`;
const share = (counter, part) =>
  `sum by (job) (rate(${counter}{${part}}[5m])) / sum by (job) (rate(${counter}[5m]))`;

const rule = (alert, severity, wait, expr, summary, description) => ({
  alert,
  expr,
  ...(wait === undefined ? {} : { for: wait }),
  labels: { severity },
  annotations: { summary, description },
});

const RULES = {
  groups: [
    {
      name: 'nest-sessions',
      rules: [
        rule(
          'NestSessionsTokenTheft',
          'warning',
          undefined,
          happened('session.theft-detected', '15m'),
          'A retired refresh token came back',
          'The session was ended. The audit trail and the event session.theft-detected name the user: look at their other sessions.',
        ),
        rule(
          'NestSessionsTokenThefts',
          'critical',
          undefined,
          `sum by (job) (increase(${eventsOf('session.theft-detected')}[1h])) > 5 and sum by (job) (increase(${eventsOf('session.theft-detected')}[1h])) / sum by (job) (increase(${eventsOf('session.refreshed')}[1h])) > 0.001`,
          'More than one refresh in a thousand is a theft',
          'Tokens leak, or a client loses the tokens that it gets: what was released last, and where are tokens logged?',
        ),
        rule(
          'NestSessionsHandOverRefused',
          'warning',
          undefined,
          happened('session.hand-over-refused', '15m'),
          'A hand-over token came twice, or to another client',
          'Somebody else may have read it: the event session.hand-over-refused names the session.',
        ),
        rule(
          'NestSessionsRefreshFailures',
          'critical',
          '5m',
          `${share('nest_sessions_refresh_duration_count', FAILED)} > 0.05`,
          'More than 5 % of the refreshes fail',
          'Store or core are away or slow. Clients keep their tokens and try again.',
        ),
        rule(
          'NestSessionsRefreshRefused',
          'warning',
          '15m',
          `${share('nest_sessions_refresh_duration_count', 'nest_sessions_outcome="UNAUTHORISED"')} > 0.5`,
          'More than half of the refreshes are refused',
          'Users are signed out: sessions were ended in bulk, the store was emptied, or its keys were changed.',
        ),
        rule(
          'NestSessionsCoreCallsFail',
          'critical',
          '5m',
          `${share('nest_sessions_core_call_duration_count', FAILED)} > 0.05`,
          'More than 5 % of the calls to store or core fail',
          'The outcome and the operation say what: see the board.',
        ),
        rule(
          'NestSessionsFeedStale',
          'critical',
          '1m',
          'max by (job, instance) (nest_sessions_revocations_stale) > 0',
          'An instance does not know which sessions have ended',
          'It asks the store about each token, refuses or accepts them, as revocationFeed.whenStale says. Can it reach the feed?',
        ),
        rule(
          'NestSessionsSigningKeyOld',
          'warning',
          '1h',
          'max by (job) (nest_sessions_signing_key_age) > 8 * 86400',
          'The signing key is older than eight days',
          'It rotates once a week by default: may the account of the application write keys? Set another limit where accessTokenDynamicSigningKeyUpdateIntervalSec is longer.',
        ),
      ],
    },
  ],
};

const toOtlp = (text) =>
  IN_SECONDS.reduce((renamed, name) => renamed.replaceAll(name, `${name}_seconds`), text);

const BOARD_TEXT = JSON.stringify(BOARD, null, 2);
const RULES_TEXT = `# Made by \`npm run docs:metrics\`.\n${stringify(RULES, { lineWidth: 0 })}`;
const FILES = {
  'docs/metrics/prometheus-exporter/grafana-board.json': BOARD_TEXT,
  'docs/metrics/prometheus-exporter/alert-rules.yml': RULES_TEXT,
  'docs/metrics/otlp/grafana-board.json': toOtlp(BOARD_TEXT),
  'docs/metrics/otlp/alert-rules.yml': toOtlp(RULES_TEXT),
};

const { check } = parseArgs({ options: { check: { type: 'boolean' } } }).values;
for (const [path, text] of Object.entries(FILES)) {
  const file = join(root, path);
  const formatted = await format(text, { ...(await resolveConfig(file)), filepath: file });
  if (check !== true) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, formatted);
  } else if (readFileSync(file, 'utf8') !== formatted) {
    console.error(`${path} is not what \`npm run docs:metrics\` writes`);
    process.exitCode = 1;
  }
}
