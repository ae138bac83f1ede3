import {
  accessTokenInfo,
  parseWithoutVerifying,
  type AccessTokenInfo,
  type ParsedAccessToken,
} from '../../tokens/access-token.js';
import { findForeignClaim } from '../../tokens/expected-claims.js';
import { SignatureVerifier } from '../../tokens/signature-verifier.js';
import { hasLivingParents } from '../../util/delegation-claims.js';
import type { JsonObject } from '../../util/json.js';
import { isSet, type Command, type CommandCall } from '../command.js';
import { EXIT, RefusedError, UsageError } from '../io.js';
import { fromStore, type OpenedSessions } from '../open-sessions.js';
import { jsonText, painted, safeText, timeText } from '../output.js';
import { newestOfSession, recordDetails } from '../records.js';
import { readStoredKeys, verificationKeys } from '../stored-keys.js';

/** Members of a token that are as good as a part of it. */
const HIDDEN = ['refreshTokenHash1', 'parentRefreshTokenHash1', 'antiCsrfToken'];
const LONGEST_INPUT = 65_536;

/** One thing that was checked. */
interface TokenCheck {
  readonly name: 'signature' | 'time' | 'application' | 'session' | 'claims';
  readonly isGood: boolean;
  readonly detail: string;
}

export const verifyToken: Command = {
  name: 'verify',
  argument: '[access token]',
  argumentCount: [0, 1],
  summary: 'Shows what is in an access token, whether it is good, and why not.',
  details: `Without an argument the token is read from the standard input, which keeps it out of
the history of your shell: npx nest-sessions verify --config … < token.txt
It changes nothing: no token is refreshed, and no session is noted as used. Ends with
1 for a token that is not good.`,
  options: {},
  run: async (call) => {
    const token = await readToken(call);
    call.hide(token);
    const parsed = parseWithoutVerifying(token);
    if (parsed === undefined)
      throw new RefusedError(
        'this is no access token: one has three parts between dots, and the structure that sessions give it. Refresh tokens cannot be looked into',
      );
    const checks = await checkToken(await call.open(), parsed, call);
    const isGood = checks.every((check) => check.isGood);
    const payload = visible(parsed.payload);
    const { kid, algorithm, version } = parsed;
    call.io.stdout(
      isSet(call, 'json')
        ? jsonText({ isGood, checks, header: { kid, algorithm, version }, payload })
        : `${checksText(checks, isGood, call)}\n${jsonText(payload)}`,
    );
    return isGood ? EXIT.done : EXIT.nothing;
  },
};

async function readToken({ positionals: [given], io }: CommandCall): Promise<string> {
  const readInput = given === undefined || given === '-' ? (io.readInput ?? refuseToWait) : undefined;
  const text = (readInput === undefined ? (given ?? '') : await readInput()).trim();
  if (text.length > LONGEST_INPUT)
    throw new UsageError(`a token is expected, and ${text.length} characters came`);
  return text.replace(/^(authorization:\s*)?bearer\s+/i, '');
}

function refuseToWait(): never {
  throw new UsageError('a token is expected on the standard input: npx nest-sessions verify … < token.txt');
}

/** Returns the payload without the texts that are as good as a part of the token. */
function visible(payload: JsonObject): JsonObject {
  const shown = Object.entries(payload).map(([name, value]) => {
    const isSecret = HIDDEN.includes(name) && typeof value === 'string';
    return [name, isSecret ? '(hidden)' : value] as const;
  });
  return Object.fromEntries(shown);
}

async function checkToken(
  opened: OpenedSessions,
  parsed: ParsedAccessToken,
  call: CommandCall,
): Promise<readonly TokenCheck[]> {
  const info = accessTokenInfo(parsed);
  const signature = await checkSignature(opened, parsed);
  const checks = [signature, checkTime(parsed, info, call), checkApplication(opened, info)];
  // The handle of a forged token is a text of anybody.
  if (!signature.isGood) return checks;
  return [...checks, await checkSession(opened, info), await checkClaims(opened, info)];
}

async function checkSignature(
  { core, store }: OpenedSessions,
  parsed: ParsedAccessToken,
): Promise<TokenCheck> {
  const keys = store === undefined ? core.verificationKeys : verificationKeys(await readStoredKeys(store));
  const verdict = await fromStore((async () => new SignatureVerifier(keys).verify(parsed))());
  const key = parsed.kid === undefined ? 'a key of the core' : safeText(parsed.kid);
  const detail = {
    PROVEN: `by ${key}`,
    UNKNOWN_KEY: `the core has no key ${key}: it was removed, or the token is of another core`,
    WRONG_SIGNATURE: 'wrong: the token was changed, or made by somebody else',
  }[verdict];
  return { name: 'signature', isGood: verdict === 'PROVEN', detail };
}

function checkTime(
  { payload }: ParsedAccessToken,
  { expiryMs }: AccessTokenInfo,
  { io }: CommandCall,
): TokenCheck {
  const now = io.clock.now();
  const { nbf } = payload;
  if (typeof nbf === 'number' && nbf * 1000 > now)
    return { name: 'time', isGood: false, detail: `not valid before ${timeText(nbf * 1000)}` };
  const isGood = now < expiryMs;
  return { name: 'time', isGood, detail: `${isGood ? 'valid until' : 'expired at'} ${timeText(expiryMs)}` };
}

function checkApplication({ options: { config } }: OpenedSessions, { payload }: AccessTokenInfo): TokenCheck {
  const { accessTokenIssuers: issuers, accessTokenAudience: audience } = config;
  const claim = findForeignClaim(payload, { issuers, audience });
  if (claim === undefined) {
    const isAsked = issuers !== undefined || audience !== undefined;
    return {
      name: 'application',
      isGood: true,
      detail: isAsked ? 'issuer and audience fit' : 'issuer and audience are not asked for',
    };
  }
  const option = claim === 'iss' ? 'is not among accessTokenIssuers' : 'does not name accessTokenAudience';
  return { name: 'application', isGood: false, detail: `its ${claim} ${option}` };
}

async function checkSession(
  opened: OpenedSessions,
  { sessionHandle, payload }: AccessTokenInfo,
): Promise<TokenCheck> {
  const { core, service, isOver } = opened;
  const session = await service.getSessionInformation(sessionHandle);
  const name = 'session';
  if (session !== undefined && isOver(payload))
    return { name, isGood: false, detail: 'its lifetime is over, by the option lifetime' };
  if (session !== undefined && !(await hasLivingParents(core, payload)))
    return { name, isGood: false, detail: 'has ended with the session that it belongs to' };
  if (session !== undefined) return { name, isGood: true, detail: `live until ${timeText(session.expiry)}` };
  const [end] = await newestOfSession(opened, { sessionHandle, kinds: 'ended', limit: 1 });
  if (end === undefined) return { name, isGood: false, detail: 'has ended' };
  const details = recordDetails(end);
  return {
    name,
    isGood: false,
    detail: `has ended at ${timeText(end.timeMs)}${details === '' ? '' : `, ${details}`}`,
  };
}

async function checkClaims(
  { service }: OpenedSessions,
  { userId, recipeUserId, payload }: AccessTokenInfo,
): Promise<TokenCheck> {
  const { invalidClaims } = await service.validateClaimsInJWTPayload({
    userId,
    recipeUserId,
    jwtPayload: payload,
  });
  const failed = invalidClaims.map(({ id }) => id).join(', ');
  return {
    name: 'claims',
    isGood: failed === '',
    detail: failed === '' ? 'no global validator refuses it' : `refused by ${failed}`,
  };
}

function checksText(checks: readonly TokenCheck[], isGood: boolean, { io }: CommandCall): string {
  const lines = checks.map(({ name, isGood: isFine, detail }) => {
    const mark = painted(isFine ? 'green' : 'red', isFine ? '✓' : '✗', io);
    return `${mark} ${name.padEnd('application'.length)}  ${safeText(detail)}\n`;
  });
  const verdict = isGood
    ? painted('green', 'The token is good.', io)
    : painted('red', 'The token is not good.', io);
  return `${lines.join('')}${verdict}\n`;
}
