import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { HttpCoreClient, type HttpCoreClientParts } from '../../lib/core/remote/http-core-client.js';
import {
  resolveRemoteCoreOptions,
  type RemoteCoreOptions,
} from '../../lib/core/remote/remote-core-config.js';
import { SessionEvents } from '../../lib/events/session-events.js';
import { SystemClock, type Clock } from '../../lib/util/clock.js';
import { isJsonObject, type JsonObject } from '../../lib/util/json.js';
import { DYNAMIC_TEST_KEY, STATIC_TEST_KEY } from '../fixtures/signing-keys.js';
import { DYNAMIC_TEST_KID, STATIC_TEST_KID } from './embedded.js';
import { publicJwkOf } from '../fixtures/key-set.js';

/** A request as the fake core read it. */
export interface ReceivedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed, or undefined where there is none. */
  readonly body: unknown;
}

/** Does something to the response of a request that was read. */
export type Behaviour = (response: ServerResponse, request: ReceivedRequest) => void;

const SESSION = {
  handle: '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11',
  userId: 'user-1',
  recipeUserId: 'user-1',
  tenantId: 'public',
  userDataInJWT: { role: 'admin' },
};
const ACCESS_TOKEN = { token: 'access-token', expiry: 1_760_003_600_000, createdTime: 1_760_000_000_000 };
const REFRESH_TOKEN = { token: 'refresh-token', expiry: 1_768_640_000_000, createdTime: 1_760_000_000_000 };

/** Bodies of a core that is content with everything. */
export const GOOD_RESPONSES = {
  versions: { versions: ['2.7', '5.4', '4.0', '5.10', '5.3'] },
  created: { status: 'OK', session: SESSION, accessToken: ACCESS_TOKEN, refreshToken: REFRESH_TOKEN },
  verified: { status: 'OK', session: SESSION },
  refreshed: { status: 'OK', session: SESSION, accessToken: ACCESS_TOKEN, refreshToken: REFRESH_TOKEN },
  regenerated: { status: 'OK', session: SESSION, accessToken: ACCESS_TOKEN },
  information: {
    status: 'OK',
    sessionHandle: SESSION.handle,
    userId: 'user-1',
    recipeUserId: 'user-1',
    tenantId: 'public',
    userDataInDatabase: { cart: 3 },
    userDataInJWT: { role: 'admin' },
    expiry: 1_768_640_000_000,
    timeCreated: 1_760_000_000_000,
  },
  handles: { status: 'OK', sessionHandles: [SESSION.handle] },
  removed: { status: 'OK', sessionHandlesRevoked: [SESSION.handle] },
  updated: { status: 'OK' },
  unknownUser: { status: 'UNKNOWN_USER_ID_ERROR' },
  jwt: { status: 'OK', jwt: 'a.b.c' },
  keys: {
    keys: [publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID), publicJwkOf(STATIC_TEST_KEY, STATIC_TEST_KID)],
  } as unknown as JsonObject,
  roles: { status: 'OK', roles: ['admin', 'editor'] },
  permissions: { status: 'OK', permissions: ['read', 'write'] },
} satisfies Record<string, JsonObject>;

/** By method and the path from `recipe` on, tenants left out. */
const ROUTES: Readonly<Record<string, JsonObject>> = {
  'GET /apiversion': GOOD_RESPONSES.versions,
  'POST /recipe/session': GOOD_RESPONSES.created,
  'GET /recipe/session': GOOD_RESPONSES.information,
  'POST /recipe/session/verify': GOOD_RESPONSES.verified,
  'POST /recipe/session/refresh': GOOD_RESPONSES.refreshed,
  'POST /recipe/session/regenerate': GOOD_RESPONSES.regenerated,
  'POST /recipe/session/remove': GOOD_RESPONSES.removed,
  'GET /recipe/session/user': GOOD_RESPONSES.handles,
  'PUT /recipe/session/data': GOOD_RESPONSES.updated,
  'PUT /recipe/jwt/data': GOOD_RESPONSES.updated,
  'POST /recipe/jwt': GOOD_RESPONSES.jwt,
  'GET /user/id': GOOD_RESPONSES.unknownUser,
  'GET /.well-known/jwks.json': GOOD_RESPONSES.keys,
  'GET /recipe/user/roles': GOOD_RESPONSES.roles,
  'GET /recipe/role/permissions': GOOD_RESPONSES.permissions,
};

/**
 * A core that returns what a test wants, or nothing, or nonsense; as long as the test says nothing, it is content with
 * every call. On loopback, at a port of its own that it keeps over a restart.
 */
export class FakeCore {
  readonly received: ReceivedRequest[] = [];
  /** Connections are torn down before a byte is read. */
  refusesToRead = false;
  private readonly sockets = new Set<Socket>();
  private readonly planned = new Map<string, Behaviour[]>();
  private server: Server | undefined;
  private port = 0;

  static async start(): Promise<FakeCore> {
    const core = new FakeCore();
    await core.start();
    return core;
  }

  get uri(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.serve(request, response));
    server.on('connection', (socket) => {
      if (this.refusesToRead) socket.resetAndDestroy();
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Dies like a process that is killed: whatever is under way is cut. */
  async kill(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    const isClosed = new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    for (const socket of this.sockets) socket.resetAndDestroy();
    await isClosed;
  }

  /** From now on requests for the path get these, one after the other; the last one stays. `*`: all paths. */
  on(path: string, ...behaviours: Behaviour[]): this {
    this.planned.set(path, behaviours);
    return this;
  }

  /** Forgets what was planned and received. */
  reset(): void {
    this.planned.clear();
    this.received.length = 0;
    this.refusesToRead = false;
  }

  /** `METHOD path` of what came in, without the question for the version. */
  get calls(): string[] {
    return this.received
      .filter(({ path }) => !path.endsWith('/apiversion'))
      .map(({ method, path }) => `${method} ${path}`);
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return; // the client went away
    }
    const url = new URL(incoming.url ?? '/', this.uri);
    const text = Buffer.concat(chunks).toString('utf8');
    const request: ReceivedRequest = {
      method: incoming.method ?? '',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: incoming.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    this.received.push(request);
    const planned = this.planned.get(request.path) ?? this.planned.get('*') ?? [];
    const behaviour = planned.length > 1 ? planned.shift() : planned[0];
    (behaviour ?? content)(response, request);
  }
}

/** The good response of a content core. */
export const content: Behaviour = (response, { method, path }) => {
  const from = path.search(/\/(?:recipe|apiversion|user\/id|\.well-known)(?:\/|$)/);
  const found = ROUTES[`${method} ${path.slice(Math.max(from, 0))}`];
  if (found === undefined) sendText(404, 'Not found\n')(response, { method, path } as ReceivedRequest);
  else sendJson(found)(response, { method, path } as ReceivedRequest);
};

export function sendJson(body: unknown, headers: Record<string, string> = {}): Behaviour {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json;charset=UTF-8', ...headers });
    response.end(`${JSON.stringify(body)}\n`);
  };
}

export function sendText(status: number, text: string, contentType = 'text/html;charset=UTF-8'): Behaviour {
  return (response) => {
    response.writeHead(status, { 'content-type': contentType });
    response.end(text);
  };
}

export function redirectTo(location: string): Behaviour {
  return (response) => {
    response.writeHead(302, { location });
    response.end();
  };
}

/** Reads the request and cuts the connection. */
export const reset: Behaviour = (response) => {
  response.socket?.resetAndDestroy();
};

/** Never responds. */
export const hang: Behaviour = () => undefined;

/** A good beginning, then a byte now and then for ever. */
export const drip: Behaviour = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
};

/** Promises more than it sends, and closes. */
export const cutShort: Behaviour = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"status":"OK","session":{"handle":"');
  response.socket?.end();
};

/** So many bytes, as long as the client takes them. */
export function flood(bytes: number): Behaviour {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(bytes) });
    const chunk = Buffer.alloc(65_536, ' ');
    let left = bytes;
    const pump = (): void => {
      while (left > 0 && !response.destroyed) {
        left -= chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.on('drain', pump);
    pump();
  };
}

/** Bytes that are no HTTP. */
export const babble: Behaviour = (response) => {
  response.socket?.end('+OK this is another protocol\r\n\r\n');
};

/** A client of the given cores, at the given clock. */
export function clientOf(
  cores: FakeCore | readonly FakeCore[],
  options: Partial<RemoteCoreOptions> = {},
  parts: HttpCoreClientParts & { clock?: Clock; jwksRefreshIntervalSec?: number } = {},
): HttpCoreClient {
  const connectionURI = [cores]
    .flat()
    .map(({ uri }) => uri)
    .join(';');
  const { config, problems } = resolveRemoteCoreOptions({ connectionURI, ...options });
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  const { clock = new SystemClock(), jwksRefreshIntervalSec = 14_400, ...rest } = parts;
  const context = {
    clock,
    events: new SessionEvents(),
    apiDomain: 'http://localhost:3000',
    jwksRefreshIntervalSec,
  };
  return new HttpCoreClient(config, context, rest);
}

/** The member of a body that a request must have had. */
export function bodyOf({ body }: ReceivedRequest): JsonObject {
  if (!isJsonObject(body)) throw new Error('the request had no JSON object as its body');
  return body;
}

/** Lets what is under way go on until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
