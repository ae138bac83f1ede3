import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { All, Controller, UseGuards } from '@nestjs/common';
import { RequireClaims, Session, SessionGuard } from 'nest-sessions';
import {
  BooleanClaim,
  createSessions,
  type PlainRequest,
  type RequestAndResponse,
  type SessionContainer,
  type SessionResponse,
  type Sessions,
  type StandaloneSessionOptions,
  type VerifySessionOptions,
} from 'nest-sessions/standalone';
import { TestClock } from 'nest-sessions/testing';
import { closeAfterTest } from './close-after-test.js';
import { DemoController, describeSession } from './demo.controller.js';
import { TEST_START_MS } from './embedded.js';
import { HttpClient, ReceivedResponse, type ClientResponse, type RequestToSend } from './http-client.js';
import { SessionClient, type LoginInput } from './session-client.js';
import { switchedCore } from './switched-core.js';
import { SHOP, TestApplication } from './test-application.js';

/** The ways in which an application can hand requests to `nest-sessions/standalone`. */
export const WAYS = ['plain', 'fetch', 'node'] as const;
export type Way = (typeof WAYS)[number];

/** True for users who may enter `/admin`. */
export const AdminClaim = new BooleanClaim({ key: 'admin', fetchValue: (userId) => userId === 'root' });

/** The shop in Nest has these routes beside those of the `DemoController`. */
@Controller()
@UseGuards(SessionGuard)
export class AdminController {
  @All('admin')
  @RequireClaims(AdminClaim.validators.isTrue())
  admin(@Session() session: SessionContainer): object {
    return describeSession(session);
  }

  @All('rename')
  async rename(@Session() session: SessionContainer): Promise<object> {
    await session.mergeIntoAccessTokenPayload({ name: 'Ada' });
    return describeSession(session);
  }
}

/** A shop that takes requests, with Nest or without. */
export interface Shop {
  readonly clock: TestClock;
  send(request: RequestToSend): Promise<ClientResponse>;
  client(mode?: 'cookie' | 'header'): SessionClient;
}

export type ShopOptions = Partial<StandaloneSessionOptions>;

/** Starts the shop as a Nest application on Express. */
export async function startNestShop(options: ShopOptions): Promise<TestApplication> {
  const { logger: _logger, clock: _clock, ...others } = options;
  return TestApplication.on('express')
    .with({ claims: [AdminClaim], ...others })
    .controllers(DemoController, AdminController)
    .start();
}

/** Starts the shop without Nest. */
export async function startStandaloneShop(way: Way, options: ShopOptions): Promise<StandaloneShop> {
  const clock = new TestClock(TEST_START_MS);
  const sessions = createSessions({
    appInfo: SHOP,
    claims: [AdminClaim],
    clock,
    logger: { error: () => undefined, warn: () => undefined },
    ...options,
    core: options.core ?? (await switchedCore(undefined, undefined)),
  });
  await sessions.start();
  const shop = new StandaloneShop(clock, sessions, await SENDERS[way](sessions));
  closeAfterTest(() => shop.close());
  return shop;
}

interface Sender {
  send(request: RequestToSend): Promise<ClientResponse>;
  close(): Promise<void>;
}

/** The shop without Nest, with the routes that {@link startNestShop} has. */
export class StandaloneShop implements Shop {
  constructor(
    readonly clock: TestClock,
    readonly sessions: Sessions,
    private readonly sender: Sender,
  ) {}

  readonly send = async (request: RequestToSend): Promise<ClientResponse> => this.sender.send(request);

  readonly client = (mode: 'cookie' | 'header' = 'cookie'): SessionClient =>
    new SessionClient(this as unknown as HttpClient, mode);

  async close(): Promise<void> {
    await this.sender.close();
    await this.sessions.close();
  }
}

/** The application's own part of a response. */
interface Outcome {
  readonly status: number;
  readonly body: unknown;
}

type Source = PlainRequest | Request | RequestAndResponse;
type RouteOptions = VerifySessionOptions & { sessionRequired?: true };

const GUARDED: Readonly<Record<string, RouteOptions>> = {
  '/me': {},
  '/checked': { checkDatabase: true },
  '/with-anti-csrf': { antiCsrfCheck: true },
  '/admin': { overrideGlobalClaimValidators: (global) => [...global, AdminClaim.validators.isTrue()] },
};

/** The routes of the application. */
async function route(
  sessions: Sessions,
  source: Source,
  { method, path, body }: { method: string; path: string; body: unknown },
): Promise<Outcome> {
  const options = GUARDED[path];
  if (options !== undefined)
    return { status: 200, body: describeSession(await sessions.verify(source, options)) };
  if (path === '/optional')
    return {
      status: 200,
      body: describeSession(await sessions.verify(source, { sessionRequired: false })),
    };
  if (path === '/rename') {
    const session = await sessions.verify(source);
    await session.mergeIntoAccessTokenPayload({ name: 'Ada' });
    return { status: 200, body: describeSession(session) };
  }
  if (path === '/login' && method === 'POST') {
    const { userId, tenantId, payload, data } = body as LoginInput & { userId: string };
    const session = await sessions.createNewSession(source, {
      userId,
      ...(tenantId === undefined ? {} : { tenantId }),
      accessTokenPayload: payload as object,
      sessionDataInDatabase: data as object,
    });
    return { status: 201, body: { sessionHandle: session.getHandle() } };
  }
  return { status: 404, body: { message: `Cannot ${method} ${path}`, error: 'Not Found', statusCode: 404 } };
}

const JSON_HEADER: [string, string] = ['content-type', 'application/json; charset=utf-8'];

const SENDERS: Readonly<Record<Way, (sessions: Sessions) => Promise<Sender>>> = {
  plain: async (sessions) => ({
    send: async ({ method = 'GET', path, headers = {}, body }) => {
      const request: PlainRequest = {
        method,
        url: path,
        headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      };
      return toClientResponse(await servePlain(sessions, request, body));
    },
    close: async () => undefined,
  }),

  fetch: async (sessions) => ({
    send: async ({ method = 'GET', path, headers = {}, body }) => {
      const request = new Request(new URL(path, 'http://127.0.0.1'), {
        method,
        headers: [
          ...(body === undefined ? [] : [JSON_HEADER]),
          ...Object.entries(headers).flatMap(([name, value]) =>
            value === undefined ? [] : [value].flat().map((line): [string, string] => [name, line]),
          ),
        ],
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const response = await sessions.fetch(request, async () => {
        const outcome = await route(sessions, request, { method, path: pathOf(path), body });
        return Response.json(outcome.body, { status: outcome.status, headers: [JSON_HEADER] });
      });
      return toClientResponse({
        status: response.status,
        headers: [...response.headers],
        body: await response.text(),
      });
    },
    close: async () => undefined,
  }),

  node: async (sessions) => {
    const server = createServer((req, res) => void serveNode(sessions, req, res));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = new HttpClient((server.address() as AddressInfo).port);
    return {
      send: async (request) => client.send(request),
      close: async () => {
        client.close();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  },
};

async function servePlain(
  sessions: Sessions,
  request: PlainRequest,
  body: unknown,
): Promise<SessionResponse> {
  const own = await sessions.handle(request);
  if (own !== undefined) return own;
  try {
    const { method, url } = request;
    const outcome = await route(sessions, request, { method, path: pathOf(url), body });
    const { headers } = sessions.finish(request);
    return {
      status: outcome.status,
      headers: [...headers, JSON_HEADER],
      body: method === 'HEAD' ? '' : JSON.stringify(outcome.body),
    };
  } catch (error) {
    const refusal = await sessions.respond(error, request);
    if (refusal === undefined) throw error;
    return refusal;
  }
}

async function serveNode(sessions: Sessions, req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    if (await sessions.handle({ req, res })) return;
    const { method = '', url = '' } = req;
    const text = method === 'POST' ? await textOf(req) : '';
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const outcome = await route(sessions, { req, res }, { method, path: pathOf(url), body });
    res.statusCode = outcome.status;
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.end(JSON.stringify(outcome.body));
  } catch (error) {
    if (await sessions.respond(error, { req, res })) return;
    res.statusCode = 500;
    res.end(String(error));
  }
}

async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function toClientResponse({ status, headers, body }: SessionResponse): ClientResponse {
  return new ReceivedResponse(status, body, headers.flat());
}
