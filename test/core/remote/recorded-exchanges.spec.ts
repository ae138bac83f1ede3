import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { HttpCoreClient } from '../../../lib/core/remote/http-core-client.js';
import { CoreBadInputError, CoreResponseError, type CoreError } from '../../../lib/errors.js';
import { isJsonObject, parseJsonObject, type JsonObject } from '../../../lib/util/json.js';
import { coreExchanges, type CoreExchange } from '../../fixtures/core-exchanges.js';
import { clientOf, FakeCore, sendJson, type Behaviour } from '../../support/fake-core.js';

const EXCHANGES = coreExchanges();
/** The headers by which the recorded clients named themselves; ours sends the same. */
const COMPARED_HEADERS = ['cdi-version', 'rid', 'content-type', 'api-key'];

let core: FakeCore;
let client: HttpCoreClient | undefined;

beforeAll(async () => {
  core = await FakeCore.start();
});
afterEach(async () => {
  await client?.close();
  core.reset();
});
afterAll(async () => core.kill());

/** Responds as the core did, byte for byte. */
function recorded({ answer }: CoreExchange): Behaviour {
  const { 'content-type': contentType = '', 'cache-control': cacheControl } = answer.headers;
  return (response) => {
    response.writeHead(answer.status, {
      'content-type': contentType,
      ...(cacheControl !== undefined && { 'cache-control': cacheControl }),
    });
    response.end(`${answer.body}\n`);
  };
}

/** The call that makes such a request, and what the response, as JSON, then is worth. */
interface Replay {
  readonly call: (remote: HttpCoreClient) => Promise<unknown>;
  readonly value: (response: JsonObject) => unknown;
}

const object = (value: unknown): JsonObject => (isJsonObject(value) ? value : {});
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const optional = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const refusal = ({ status, message }: JsonObject): unknown => ({ status, message });
const refusalOr =
  (value: (response: JsonObject) => unknown) =>
  (response: JsonObject): unknown =>
    ['UNAUTHORISED', 'TRY_REFRESH_TOKEN'].includes(text(response['status']))
      ? refusal(response)
      : value(response);
const tokens = ({ session, accessToken, refreshToken, antiCsrfToken }: JsonObject): unknown => ({
  session,
  accessToken,
  refreshToken,
  antiCsrfToken,
});

/** Returns undefined for requests that the client never makes. */
function replayOf({ request, answer }: CoreExchange): Replay | undefined {
  const body = parseJsonObject(request.body) ?? {};
  const { query } = request;
  const [, tenantId, path] =
    /^(?:\/(public|t9))?(\/.*)$/.exec(request.path.replace(/^\/appid-\w+/, '')) ?? [];
  const sessionHandle = query['sessionHandle'] ?? text(body['sessionHandle']);
  switch (`${request.method} ${path ?? ''}`) {
    case 'POST /recipe/session':
      return {
        call: (remote) =>
          remote.createSession(
            {
              tenantId: tenantId ?? 'public',
              recipeUserId: text(body['userId']),
              userDataInJWT: object(body['userDataInJWT']),
              userDataInDatabase: object(body['userDataInDatabase']),
              useDynamicSigningKey: body['useDynamicSigningKey'] !== false,
              enableAntiCsrf: body['enableAntiCsrf'] === true,
            },
            {},
          ),
        value: tokens,
      };
    case 'POST /recipe/session/verify':
      return {
        call: (remote) =>
          remote.verifySession(
            {
              accessToken: text(body['accessToken']),
              antiCsrfToken: optional(body['antiCsrfToken']),
              doAntiCsrfCheck: body['doAntiCsrfCheck'] === true,
              enableAntiCsrf: body['enableAntiCsrf'] === true,
              checkDatabase: body['checkDatabase'] === true,
            },
            {},
          ),
        value: refusalOr((parsed) => parsed),
      };
    case 'POST /recipe/session/refresh':
      return {
        call: (remote) =>
          remote.refreshSession(
            {
              refreshToken: text(body['refreshToken']),
              antiCsrfToken: optional(body['antiCsrfToken']),
              enableAntiCsrf: body['enableAntiCsrf'] === true,
              useDynamicSigningKey: body['useDynamicSigningKey'] !== false,
            },
            {},
          ),
        value: refusalOr((parsed) =>
          parsed['status'] === 'TOKEN_THEFT_DETECTED' ? parsed : { status: 'OK', ...object(tokens(parsed)) },
        ),
      };
    case 'POST /recipe/session/regenerate':
      return {
        call: (remote) =>
          remote.regenerateAccessToken(
            {
              accessToken: text(body['accessToken']),
              userDataInJWT: isJsonObject(body['userDataInJWT']) ? body['userDataInJWT'] : undefined,
            },
            {},
          ),
        value: refusalOr((parsed) => parsed),
      };
    case 'GET /recipe/session':
      return {
        call: (remote) => remote.getSessionInformation(sessionHandle, {}),
        value: ({ status, ...information }) => (status === 'OK' ? information : undefined),
      };
    case 'GET /recipe/session/user':
      return {
        call: (remote) =>
          remote.getSessionHandlesOfUser(
            { userId: text(query['userId']), tenantId, includeLinkedAccounts: true },
            {},
          ),
        value: ({ sessionHandles }) => sessionHandles,
      };
    case 'POST /recipe/session/remove':
      return {
        call: (remote) =>
          body['userId'] === undefined && Array.isArray(body['sessionHandles'])
            ? remote.revokeSessions(body['sessionHandles'].map(text), {})
            : remote.revokeSessionsOfUser(
                { userId: text(body['userId']), tenantId, includeLinkedAccounts: true },
                {},
              ),
        value: ({ sessionHandlesRevoked }) => sessionHandlesRevoked,
      };
    case 'PUT /recipe/session/data':
      return {
        call: (remote) => remote.updateSessionData(sessionHandle, object(body['userDataInDatabase']), {}),
        value: ({ status }) => status === 'OK',
      };
    case 'PUT /recipe/jwt/data':
      return {
        call: (remote) => remote.updateAccessTokenPayload(sessionHandle, object(body['userDataInJWT']), {}),
        value: ({ status }) => status === 'OK',
      };
    case 'POST /recipe/jwt':
      return {
        call: (remote) =>
          remote.createJwt(
            {
              payload: object(body['payload']),
              validity: Number(body['validity']),
              useStaticSigningKey: body['useStaticSigningKey'] === true,
              algorithm: text(body['algorithm']),
              jwksDomain: text(body['jwksDomain']),
            },
            {},
          ),
        value: (parsed) => parsed,
      };
    case 'GET /user/id':
      return {
        call: (remote) => remote.getPrimaryUserId(text(query['userId']), {}),
        value: () => query['userId'],
      };
    case 'GET /.well-known/jwks.json': {
      const validityInSeconds = Number(/max-age=(\d+)/.exec(answer.headers['cache-control'] ?? '')?.[1]);
      return request.headers['cdi-version'] === undefined
        ? {
            call: async (remote) => remote.verificationKeys.find(undefined),
            value: ({ keys }) => keys,
          }
        : { call: (remote) => remote.getJwks({}), value: ({ keys }) => ({ keys, validityInSeconds }) };
    }
    default:
      return undefined;
  }
}

/** Stands for `/hello`, unknown paths and wrong methods: whatever we ask, this is no response to it. */
const NO_CALL_OF_OURS: Replay = {
  call: (remote) => remote.getPrimaryUserId('user-1', {}),
  value: () => undefined,
};

/** Lets the recorded response come back to whatever is asked, once the version is agreed. */
function connect(exchange: CoreExchange): HttpCoreClient {
  const version = exchange.request.headers['cdi-version'] ?? '5.3';
  core.on('/apiversion', sendJson({ versions: [version, '5.3'] })).on('*', recorded(exchange));
  return (client = clientOf(core));
}

const nameOf = ({ part, number, topic, request }: CoreExchange): string =>
  `${part} #${number} ${request.method} ${request.path} (${topic.slice(0, 60)})`;
const named = (list: CoreExchange[]): { name: string; exchange: CoreExchange }[] =>
  list.map((exchange) => ({ name: nameOf(exchange), exchange }));

describe('what a SuperTokens Core 10.1.8 returned', () => {
  it('was recorded in full', () => {
    expect(EXCHANGES.filter(({ part }) => part === 'A')).toHaveLength(43);
    expect(EXCHANGES.filter(({ part }) => part === 'B')).toHaveLength(152);
  });

  it('agrees with us on its newest version', async () => {
    const asked = EXCHANGES.filter(({ request, answer }) => {
      return request.path === '/apiversion' && answer.status === 200;
    });
    expect(asked).toHaveLength(2);
    for (const exchange of asked) {
      core.on('/apiversion', recorded(exchange));
      const remote = clientOf(core);
      await remote.getPrimaryUserId('user-1', {});
      await remote.close();
      expect(core.received.at(-1)?.headers['cdi-version']).toBe('5.3');
    }
  });

  it.each(named(EXCHANGES.filter(({ request }) => request.path !== '/apiversion')))(
    'is read as the right value or error: $name',
    async ({ exchange }) => {
      const replay = replayOf(exchange) ?? NO_CALL_OF_OURS;
      const expected = expectedOf(exchange, replay);
      const { message, ...outcome } = await replay.call(connect(exchange)).then(
        (value) => ({ value, error: undefined, message: '' }),
        (error: Error) => ({ value: undefined, error: error.constructor, message: error.message }),
      );
      expect(outcome).toEqual({ value: expected.value, error: expected.error });
      expect(message).toContain(expected.text ?? '');
    },
  );
});

describe('what we ask a core', () => {
  const asked = EXCHANGES.filter(
    (exchange) => exchange.part === 'A' && exchange.request.path !== '/apiversion',
  );

  it.each(named(asked))('is what supertokens-node 23.1.0 asks: $name', async ({ exchange }) => {
    await replayOf(exchange)?.call(connect(exchange));
    const sent = core.received.at(-1);
    const { method, path, query, headers, body } = exchange.request;
    expect(sent).toMatchObject({ method, path, query });
    expect(sent?.body).toEqual(parseJsonObject(body));
    for (const name of COMPARED_HEADERS) expect([name, sent?.headers[name]]).toEqual([name, headers[name]]);
  });
});

function expectedOf(
  { request, answer }: CoreExchange,
  { value }: Replay,
): { value?: unknown; error?: typeof CoreError; text?: string } {
  const json = parseJsonObject(answer.body);
  if (answer.status === 400) {
    // A handle that names a tenant which is not there is the handle of no session.
    return request.query['sessionHandle']?.includes('_')
      ? { value: undefined }
      : { error: CoreBadInputError, text: answer.body.slice(0, 190) };
  }
  if (answer.status !== 200) return { error: CoreResponseError, text: `status ${answer.status}` };
  if (json === undefined || isOlderThanWeSpeak(answer.body)) {
    return { error: CoreResponseError, text: 'no sensible response' };
  }
  // Without handles, we do not ask.
  if (/"sessionHandles":\s*\[\]/.test(request.body)) return { value: [] };
  return { value: value(json) };
}

/** CDI 3.1 and older name no recipe user. */
function isOlderThanWeSpeak(response: string): boolean {
  return /"(?:session|sessionHandle)":/.test(response) && !response.includes('"recipeUserId"');
}
