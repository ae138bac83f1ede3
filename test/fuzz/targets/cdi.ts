import { CoreResponseError } from '../../../lib/errors.js';
import * as responses from '../../../lib/core/remote/cdi-responses.js';
import * as inputs from '../../../lib/core/server/cdi-input.js';
import {
  CDI_VERSIONS,
  compareVersions,
  matchRoute,
  normalisedBasePath,
  refuseVersion,
} from '../../../lib/core/server/cdi-router.js';
import { parseRevocationsResponse } from '../../../lib/feed/long-poll-feed.js';
import { must, mustEqual, parsedOr, type FuzzTarget } from '../target.js';

const BODIES = [
  (body: never) => inputs.createSessionInput(body, undefined, 'at-once'),
  (body: never) => inputs.verifySessionInput(body, 'at-once'),
  (body: never) => inputs.refreshSessionInput(body, 'at-once'),
  inputs.regenerateInput,
  (body: never) => inputs.removeInput(body, undefined),
  (body: never) => inputs.updateInput(body, 'userDataInDatabase'),
  (body: never) => inputs.updateInput(body, 'userDataInJWT'),
  inputs.createJwtInput,
  inputs.revocationsInput,
] as readonly ((body: never) => unknown)[];

const QUERIES = [
  (query: URLSearchParams) => inputs.listSessionsInput(query, undefined),
  (query: URLSearchParams) => inputs.searchInput(query, 100),
  (query: URLSearchParams) => inputs.requiredParameter(query, 'sessionHandle'),
];

const PARSERS: readonly responses.ParseResponse<unknown>[] = [
  responses.parseApiVersions,
  responses.parseCreated,
  responses.parseVerified,
  responses.parseRefreshed,
  responses.parseRegenerated,
  responses.parseSessionInformation,
  responses.parseSessionHandles,
  responses.parseRevokedHandles,
  responses.parseUpdated,
  responses.parsePrimaryUserId,
  responses.parseCreatedJwt,
  responses.parseJwks,
  responses.parseRoles,
  responses.parsePermissions,
];

const TOKEN = '{"token":"a.b.c","expiry":1,"createdTime":0}';
const SESSION = '{"handle":"h","userId":"u","recipeUserId":"u","tenantId":"public","userDataInJWT":{}}';

export const CDI_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'cdi-body',
    seeds: [
      '{"userId":"u","enableAntiCsrf":true,"userDataInJWT":{"a":[1]},"userDataInDatabase":{},"useDynamicSigningKey":false,"accessTokenValidity":1.5}',
      '{"accessToken":"a.b.c","doAntiCsrfCheck":true,"enableAntiCsrf":false,"antiCsrfToken":"x","checkDatabase":true}',
      '{"refreshToken":"a","enableAntiCsrf":false,"useDynamicSigningKey":true}',
      '{"sessionHandles":["h"]}',
      '{"userId":"u","revokeAcrossAllTenants":false}',
      '{"sessionHandle":"h","userDataInDatabase":{},"userDataInJWT":{}}',
      '{"payload":{},"algorithm":"RS256","jwksDomain":"https://a","validity":1e3}',
      '{"after":"1_2-3_abcdef","seen":"1","waitMs":5}',
      `{"a":${'['.repeat(600)}${']'.repeat(600)}}`,
    ],
    run(text) {
      const bytes = Buffer.from(text, /[^\0-ÿ]/.test(text) ? 'utf8' : 'latin1');
      const body = parsedOr([inputs.CdiRefusal], text, () => inputs.parseBody(bytes));
      if (body === undefined) return;
      mustEqual(inputs.parseBody(Buffer.from(JSON.stringify(body))), body, 'a body is read as it is written');
      for (const read of BODIES) parsedOr([inputs.CdiRefusal], text, () => read(body as never));
    },
  },
  {
    name: 'cdi-query',
    seeds: [
      'userId=u&fetchAcrossAllTenants=false',
      'limit=5&createdSinceMs=1&tenantId=t1&after=WzEsInB1YmxpYyIsImgiXQ',
      'sessionHandle=h&userId=%zz',
    ],
    run(text) {
      const query = new URLSearchParams(text);
      for (const read of QUERIES) parsedOr([inputs.CdiRefusal], text, () => read(query));
    },
  },
  {
    name: 'cdi-path',
    seeds: [
      '/recipe/session',
      '/appid-a/t1/recipe/session/verify/',
      '/T1/RECIPE/JWT',
      '/.well-known/jwks.json',
      '5.4',
      '5.4.0',
      '05.10',
    ],
    run(text) {
      const route = matchRoute(text, '');
      must(route?.tenantId === undefined || /^[a-z0-9-]+$/.test(route.tenantId), 'a tenant has one form');
      const base = normalisedBasePath(text);
      mustEqual(normalisedBasePath(base), base, 'a base path in normal form stays');
      const below = matchRoute(`${base}/recipe/session`, base);
      must(below !== undefined, 'a route is found below any base path');
      const refusal = refuseVersion(text, CDI_VERSIONS, true);
      must(refusal !== undefined || CDI_VERSIONS.includes(text), 'a version is one of the list');
      must(
        Math.sign(compareVersions(text, '5.4')) === -Math.sign(compareVersions('5.4', text)),
        'an order has two sides',
      );
    },
  },
  {
    name: 'cdi-response',
    seeds: [
      `{"status":"OK","session":${SESSION},"accessToken":${TOKEN},"refreshToken":${TOKEN},"antiCsrfToken":null}`,
      '{"status":"TOKEN_THEFT_DETECTED","session":{"handle":"h","userId":"u"},"recentTokenReuseSubtype":"RECENT_PREV"}',
      '{"status":"UNAUTHORISED","message":"rotated-out token branch"}',
      '{"status":"OK","sessionHandle":"h","userId":"u","recipeUserId":"u","tenantId":"t","userDataInDatabase":{},"userDataInJWT":{},"expiry":1,"timeCreated":0}',
      '{"status":"OK","sessionHandles":["h"],"sessionHandlesRevoked":["h"],"versions":["5.4"],"roles":["r"],"permissions":["p"],"jwt":"a.b.c","user":{"id":"u"}}',
      '{"keys":[{"kty":"RSA","kid":"d-1","n":"AQ","e":"AQAB","alg":"RS256","use":"sig"},{"kty":"oct","k":"x"}]}',
      '{"records":[],"position":"","seen":"1","isPushing":true}',
    ],
    run(body) {
      const host = { origin: 'http://core', url: 'http://core' } as never;
      const request = { method: 'POST', path: '/recipe/session' } as never;
      const cacheControl = `max-age=${body.length}, ${body.slice(0, 40)}`;
      const response = { host, status: 200, contentType: 'application/json', body, cacheControl } as never;
      for (const parse of PARSERS)
        parsedOr([CoreResponseError], body, () => responses.readResponse(request, response, parse));
      const text = { host, status: 200, contentType: body, body, cacheControl } as never;
      parsedOr([CoreResponseError], body, () =>
        responses.readResponse(request, text, (json) =>
          parsedOr([TypeError], body, () => parseRevocationsResponse(json)),
        ),
      );
    },
  },
];
