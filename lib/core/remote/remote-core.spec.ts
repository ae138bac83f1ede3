import { describe, expect, it } from '@jest/globals';
import { SessionEvents } from '../../events/session-events.js';
import { TestClock } from '../../testing/test-clock.js';
import { HttpCoreClient, remoteCore } from './http-core-client.js';
import {
  allowInsecureConnection,
  resolveRemoteCoreOptions,
  type RemoteCoreOptions,
} from './remote-core-config.js';

const LOCAL = 'http://localhost:3567';

function problemsOf(options: object): string[] {
  return remoteCore(options as RemoteCoreOptions).problems.map(({ path }) => path);
}

function hostsOf(connectionURI: string): string[] {
  const { config } = resolveRemoteCoreOptions({ connectionURI });
  return config.hosts.map(({ origin, basePath }) => `${origin} ${basePath}`.trim());
}

describe('the options of a remote core', () => {
  it('have defaults', () => {
    expect(resolveRemoteCoreOptions({ connectionURI: LOCAL })).toEqual({
      config: {
        hosts: [{ origin: LOCAL, basePath: '' }],
        apiKey: undefined,
        networkInterceptor: undefined,
        newestCdiVersion: '5.6',
        requestTimeoutMs: 10_000,
        maxResponseBytes: 1_048_576,
        disableCoreCallCache: false,
      },
      problems: [],
    });
  });

  it.each([
    ['http://localhost:3567', ['http://localhost:3567']],
    ['localhost:3567', ['http://localhost:3567']],
    ['core.example.com/Base/', ['https://core.example.com /Base']],
    ['https://core.example.com/base/appid-Shop', ['https://core.example.com /base/appid-Shop']],
    [' 10.0.0.1:3567/x ;; [::1]:3567/y ; ', ['http://10.0.0.1:3567 /x', 'http://[::1]:3567 /y']],
    ['http://core:3567;https://CORE-2', ['http://core:3567', 'https://core-2']],
  ])('read the hosts in %j', (connectionURI, expected) => {
    expect(hostsOf(connectionURI)).toEqual(expected);
  });

  it.each([
    undefined,
    '',
    ';;',
    ' ; ',
    5,
    'core',
    '/path',
    'ftp://core.example.com',
    'supertokens://core.example.com',
  ])('refuse the connection URI %j when the application starts (Q20)', (connectionURI) => {
    expect(problemsOf({ connectionURI })).toEqual(['core.connectionURI']);
  });

  it.each([
    ['https://core.example.com', true],
    ['http://localhost:3567', true],
    ['http://core.localhost', true],
    ['http://127.9.9.9:3567', true],
    ['http://[::1]:3567', true],
    ['http://10.0.0.1:3567', false],
    ['http://core:3567', false],
    ['http://localhost.example.com', false],
    ['http://127.0.0.1.example.com', false],
    ['https://core.example.com;http://core-2.example.com', false],
  ])('let an API key travel to %s: %s (S098)', (connectionURI, isAllowed) => {
    const problems = isAllowed ? [] : ['core.connectionURI'];
    expect(problemsOf({ connectionURI, apiKey: 'key' })).toEqual(problems);
    expect(problemsOf({ connectionURI })).toEqual([]);
    expect(problemsOf({ connectionURI, apiKey: 'key', [allowInsecureConnection]: true })).toEqual([]);
    expect(problemsOf({ connectionURI, apiKey: 'key', [allowInsecureConnection]: 'yes' })).toEqual(problems);
  });

  it.each<[option: string, good: unknown[], bad: unknown[]]>([
    ['apiKey', ['k', 'aB3=-_~'], ['', 'a b', ' k', 'ü', 'a\r\nx: y', 5, null]],
    ['networkInterceptor', [(request: unknown) => request], [{}, 'x', null]],
    ['requestTimeoutMs', [1, 600_000], [0, -1, 600_001, 1.5, '10', Number.POSITIVE_INFINITY]],
    ['maxResponseBytes', [1024, 2 ** 31], [1023, 2 ** 31 + 1, '1MB']],
    ['disableCoreCallCache', [true, false], [0, 'true']],
  ])('check %s', (option, good, bad) => {
    for (const value of good) expect(problemsOf({ connectionURI: LOCAL, [option]: value })).toEqual([]);
    for (const value of bad) {
      expect(problemsOf({ connectionURI: LOCAL, [option]: value })).toEqual([`core.${option}`]);
    }
    expect(problemsOf({ connectionURI: LOCAL, [option]: undefined })).toEqual([]);
  });

  it('are reported all at once, unknown names too, and never repeat a key or password (S098)', () => {
    const options = {
      connectionURI: 'http://user:hunter2@core',
      apiKey: 'hunter 2',
      apikey: 'hunter3',
      requestTimeoutMs: 0,
    };
    const { problems } = remoteCore(options);
    expect(problems.map(({ path }) => path)).toEqual([
      'core.apikey',
      'core.connectionURI',
      'core.apiKey',
      'core.requestTimeoutMs',
    ]);
    expect(JSON.stringify(problems)).not.toContain('hunter');
  });

  it('make a client that needs no core to start', async () => {
    const context = {
      clock: new TestClock(),
      events: new SessionEvents(),
      apiDomain: 'http://localhost:3000',
      jwksRefreshIntervalSec: 14_400,
    };
    const client = remoteCore({ connectionURI: 'http://127.0.0.1:1' }).create(context);
    expect(client).toBeInstanceOf(HttpCoreClient);
    await client.start();
    await client.close();
  });
});
