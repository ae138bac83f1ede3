import { request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { embeddedCore, type EmbeddedCoreOptions } from '../../lib/core/embedded/embedded-core-options.js';
import { SessionCoreModule } from '../../lib/core/server/session-core.module.js';
import type { SessionCoreModuleOptions } from '../../lib/core/server/session-core-options.js';
import { Clock } from '../../lib/util/clock.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seededMemoryStore, TEST_START_MS } from './embedded.js';
import { newAdapter, type Adapter } from './adapters.js';

export interface ServedCoreInput {
  /** Default Express. */
  readonly adapter?: Adapter;
  /** Options of the module; `core` has a default. */
  readonly options?: Omit<SessionCoreModuleOptions, 'core'>;
  /** Options of the embedded core; its store is in memory with ready-made keys. */
  readonly coreOptions?: EmbeddedCoreOptions;
  readonly clock?: TestClock;
}

/** A request that goes over the wire as it is. */
export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Is JSON unless the headers say another `content-type`. */
  readonly body?: string | Buffer;
  /** `false`: a body without headers of its own goes without `content-type`. Default true. */
  readonly isTyped?: boolean;
}

export interface RawResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body read as JSON. */
  readonly json: unknown;
}

/** A core that listens on a port of its own. */
export interface ServedCore {
  readonly app: INestApplication;
  readonly port: number;
  readonly uri: string;
  readonly clock: TestClock;
  send(request: RawRequest): Promise<RawResponse>;
  /** A JSON body with the version 5.4, as the SDK sends it. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<RawResponse>;
  close(): Promise<void>;
}

/** Starts the embedded core behind `SessionCoreModule` on the loopback. */
export async function startServedCore(input: ServedCoreInput = {}): Promise<ServedCore> {
  const clock = input.clock ?? new TestClock(TEST_START_MS);
  const store = input.coreOptions?.store ?? (await seededMemoryStore());
  const core = embeddedCore({ accessTokenValidityJitter: 0, ...input.coreOptions, store });
  const module = await Test.createTestingModule({
    imports: [SessionCoreModule.forRoot({ ...input.options, core })],
  })
    .setLogger(false as never)
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  const app = module.createNestApplication(newAdapter(input.adapter ?? 'express'), { logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  const send = (request: RawRequest): Promise<RawResponse> => sendRaw(port, request);
  return {
    app,
    port,
    uri: `http://127.0.0.1:${port}`,
    clock,
    send,
    post: (path, body, headers = {}) =>
      send({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json; charset=utf-8', 'cdi-version': '5.4', ...headers },
        body: JSON.stringify(body),
      }),
    close: () => app.close(),
  };
}

/** Starts a core for one test and closes it whatever happens. */
export async function withServedCore(
  input: ServedCoreInput,
  test: (core: ServedCore) => Promise<void>,
): Promise<void> {
  const core = await startServedCore(input);
  try {
    await test(core);
  } finally {
    await core.close();
  }
}

/** Sends one request as it is, on a connection of its own. */
export async function sendRaw(
  port: number,
  { method = 'GET', path, headers = {}, body, isTyped = true }: RawRequest,
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const client = sendRequest(
      {
        host: '127.0.0.1',
        port,
        agent: false,
        method,
        path,
        headers: {
          ...(body !== undefined && isTyped && { 'content-type': 'application/json' }),
          ...headers,
          ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            get json(): unknown {
              return JSON.parse(text) as unknown;
            },
          });
        });
      },
    );
    client.on('error', reject);
    client.end(body);
  });
}
