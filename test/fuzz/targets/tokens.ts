import { createHash } from 'node:crypto';
import { TryRefreshTokenError } from '../../../lib/errors.js';
import { accessTokenInfo, parseWithoutVerifying } from '../../../lib/tokens/access-token.js';
import { AccessTokenVerifier } from '../../../lib/tokens/access-token-verifier.js';
import { buildFrontToken } from '../../../lib/tokens/front-token.js';
import { parsePublicKeys } from '../../../lib/tokens/published-keys.js';
import {
  isRefreshToken,
  refreshTokenHash1,
  RefreshTokens,
  sealWithIv,
} from '../../../lib/tokens/refresh-token.js';
import { TokenVerifier } from '../../../lib/tokens/token-verifier.js';
import { WEB_RUNTIME } from '../../../lib/tokens/web-runtime.js';
import { readConfirmation } from '../../../lib/util/key-confirmation.js';
import { isJsonObject, parseJsonObject } from '../../../lib/util/json.js';
import { UnexpectedResponse } from '../../../lib/util/response-members.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { TestKeySet } from '../../fixtures/key-set.js';
import { jwt, legacyToken, V2_CLAIMS, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { TEST_START_MS } from '../../fixtures/signing-keys.js';
import { must, mustEqual, parsedLaterOr, parsedOr, wellFormed, type FuzzTarget } from '../target.js';

const KEY = '1000:00:11';
const TOKENS = [
  jwt(V5_HEADER, V5_CLAIMS),
  legacyToken(V2_CLAIMS),
  jwt({ ...V5_HEADER, version: '4' }, V5_CLAIMS),
];
const options = { clockToleranceSec: 0, maxCachedTokens: 8 };
const verifiers = (clock: TestClock) => [
  new AccessTokenVerifier(new TestKeySet(), clock, options),
  new TokenVerifier(new TestKeySet(), clock, options, WEB_RUNTIME),
];
const clock = new TestClock(TEST_START_MS);
const [onNode, onWeb] = verifiers(clock);
const refreshTokens = new RefreshTokens(KEY);
const CONTENT = {
  sessionHandle: 'h',
  userId: 'u',
  tenantId: 'public',
  parentRefreshTokenHash1: undefined,
  antiCsrfToken: undefined,
};
const issued = await refreshTokens.issueSuccessor({ ...CONTENT, parentRefreshTokenHash1: 'p' }); // the same each time

/** The verdict of a verifier: the session's handle, or the reason of a refusal. */
async function verdict(verifier: TokenVerifier | undefined, token: string): Promise<string> {
  const parsed = verifier?.read(token);
  if (verifier === undefined || parsed === undefined) return 'none of ours';
  const info = await parsedLaterOr([TryRefreshTokenError], token, async () => verifier.verify(parsed));
  return info === undefined ? 'refused' : `session ${info.sessionHandle}`;
}

export const TOKEN_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'access-token',
    seeds: TOKENS,
    async run(token) {
      const parsed = parseWithoutVerifying(token);
      mustEqual(WEB_RUNTIME.parse(token), parsed, 'both runtimes read a token alike');
      if (parsed === undefined) return;
      const info = accessTokenInfo(parsed);
      must(
        [info.sessionHandle, info.userId, info.recipeUserId, info.tenantId].every(
          (id) => typeof id === 'string',
        ),
        'ids are texts',
      );
      must(!Number.isNaN(info.expiryMs) && !Number.isNaN(info.timeCreatedMs), 'times are numbers');
      readConfirmation(info.payload);
      must(!isRefreshToken(token) || parsed.version === 2, 'an access token is no refresh token');
      const seen = await verdict(onNode, token);
      mustEqual(await verdict(onWeb, token), seen, 'both runtimes judge a token alike');
      must(!seen.startsWith('session') || TOKENS.includes(token), 'only what was signed passes');
    },
  },
  {
    name: 'signed-claims',
    seeds: [
      JSON.stringify([V5_HEADER, V5_CLAIMS]),
      JSON.stringify([
        { ...V5_HEADER, crit: ['a'] },
        { ...V5_CLAIMS, nbf: 1, cnf: { jkt: 'x', via: 'dpop', boundAt: 1 } },
      ]),
    ],
    async run(text) {
      const [header, claims] = list(text);
      if (!isJsonObject(header) || !isJsonObject(claims)) return;
      const token = jwt(header, claims);
      const seen = await verdict(onNode, token);
      mustEqual(await verdict(onWeb, token), seen, 'both runtimes judge a token alike');
      if (!seen.startsWith('session')) return;
      must(Number(claims['exp']) * 1000 > TEST_START_MS, 'what has expired does not pass');
      must(
        !Object.hasOwn(header, 'crit') && header['alg'] === 'RS256',
        'no extension and no other algorithm passes',
      );
    },
  },
  {
    name: 'refresh-token',
    seeds: [issued, issued.toLowerCase(), `${issued}.V2`, TOKENS[0] ?? ''],
    async run(token) {
      const content = await refreshTokens.open(token);
      must(content === undefined || opensLike(token), 'only what was issued opens');
      must(
        refreshTokenHash1(token) === createHash('sha256').update(token).digest('hex'),
        'the hash is that of the text',
      );
      must(content === undefined || isRefreshToken(token), 'what opens has the form');
    },
  },
  {
    name: 'refresh-token-content',
    seeds: [
      JSON.stringify({ ...CONTENT, nonce: 'a'.repeat(64), parentRefreshTokenHash1: 'p', antiCsrfToken: 'c' }),
      '{"nonce":null}',
    ],
    async run(plaintext) {
      const text = wellFormed(plaintext);
      const iv = createHash('sha256').update(text).digest().subarray(0, 12);
      const nonce = JSON.stringify(parseJsonObject(text)?.['nonce'] ?? '').replaceAll('"', '');
      const content = await refreshTokens.open(`${await sealWithIv(KEY, iv, text)}.${nonce}.V2`);
      if (content === undefined) return;
      must(/^[0-9a-f]{64}$/.test(nonce), 'a nonce has one form');
      must(
        [content.sessionHandle, content.userId, content.tenantId].every((id) => typeof id === 'string'),
        'ids are texts',
      );
      const again = await refreshTokens.open(await refreshTokens.issue(content));
      mustEqual({ ...again, nonce }, { ...content, nonce }, 'what is issued opens');
    },
  },
  {
    name: 'front-token',
    seeds: ['{"uid":"u","ate":1,"up":{"a":"é😀"}}', '{"uid":"u","ate":1.5,"up":{"__proto__":{"x":1}}}'],
    run(text) {
      const content = parseJsonObject(text);
      const { uid, ate, up } = content ?? {};
      if (typeof uid !== 'string' || typeof ate !== 'number' || !isJsonObject(up)) return;
      const token = buildFrontToken({ userId: wellFormed(uid), accessTokenExpiryMs: ate, payload: up });
      must(/^[\w+/]+={0,2}$/.test(token), 'a front token is base64 that fits into a header');
      // As the browser client reads it.
      const read = JSON.parse(decodeURIComponent(escape(atob(token)))) as unknown;
      mustEqual(read, { uid: wellFormed(uid), ate, up }, 'the browser reads what was written');
    },
  },
  {
    name: 'published-keys',
    seeds: [
      '{"keys":[{"kty":"RSA","kid":"d-1","n":"AQ","e":"AQAB"},{"kty":"EC","kid":"s-1","crv":"P-256","x":"AA","y":"AA"},{"kty":"oct"}]}',
    ],
    async run(text) {
      const response = parseJsonObject(text);
      if (response === undefined) return;
      const keys = parsedOr([UnexpectedResponse], text, () => parsePublicKeys(response));
      if (keys === undefined) return;
      must(
        keys.every((key) => !('d' in key) && key.kty !== 'oct'),
        'no private part is kept',
      );
      const withKid = jwt({ ...V5_HEADER, kid: keys[0]?.kid }, V5_CLAIMS);
      const verifier = new AccessTokenVerifier(new TestKeySet(keys), clock, options);
      must(!(await verdict(verifier, withKid)).startsWith('session'), 'no other key proves a token');
    },
  },
];

function list(text: string): unknown[] {
  const value = parsedOr([SyntaxError], '', () => JSON.parse(text) as unknown);
  return Array.isArray(value) ? value : [];
}

/** The word behind the last point counts in any case, as a Core has it. */
function opensLike(token: string): boolean {
  const form = (text: string): string => text.replace(/v[12]$/i, 'V2');
  return form(token) === form(issued);
}
