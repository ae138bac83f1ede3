import type {
  BackChannelLogoutSettings,
  LogoutProviderSettings,
} from '../options/back-channel-logout-options.js';
import { loadJose } from '../tokens/key-pairs.js';
import type { Clock } from '../util/clock.js';
import { isJsonObject, ownMember, readMember, type JsonObject } from '../util/json.js';
import { SingleFlight } from '../util/single-flight.js';

type Jose = Awaited<ReturnType<typeof loadJose>>;
type Keys = ReturnType<Jose['createLocalJWKSet' | 'createRemoteJWKSet']>;

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** A provider's token with its signature takes about 1 kB. */
const MAX_TOKEN_LENGTH = 8192;
/** `JWT` says nothing about the kind; some providers write it, and the member of `events` tells the kinds apart. */
const TYPES: readonly unknown[] = [undefined, 'logout+jwt', 'application/logout+jwt', 'jwt'];
/** Codes of jose for what is the matter with a token, as opposed to the provider's keys. */
const TOKEN_ERROR = /^ERR_(JWT|JWS|JOSE_ALG|JOSE_NOT_SUPPORTED|JWKS_NO_MATCHING|JWKS_MULTIPLE_MATCHING)/;
const NO_MATCHING_KEY = 'ERR_JWKS_NO_MATCHING_KEY';
/** After this time an unknown key makes the keys be fetched again. */
const KEYS_COOLDOWN_MS = 5000;

/** Thrown for a logout token that is not accepted, now or later. The message names the rule and no content. */
export class LogoutTokenRefusedError extends Error {}

interface Provider extends LogoutProviderSettings {
  readonly loading: SingleFlight<Keys>;
}

/** The content of a logout token that has been verified. */
export interface LogoutToken {
  readonly issuer: string;
  /** `sub` and `sid`; at least one is there. */
  readonly sub: string | undefined;
  readonly sid: string | undefined;
  readonly jti: string;
  readonly issuedAtMs: number;
}

/**
 * Verifies logout tokens.
 *
 * @see OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6
 */
export class LogoutTokens {
  private readonly providers: ReadonlyMap<string, Provider>;

  constructor(
    private readonly settings: BackChannelLogoutSettings,
    private readonly clock: Clock,
  ) {
    const withKeys = (each: LogoutProviderSettings): Provider => ({
      ...each,
      loading: new SingleFlight(async () => this.loadKeys(each), { keepsValue: true }),
    });
    this.providers = new Map(settings.providers.map((each) => [each.issuer, withKeys(each)]));
  }

  get issuers(): readonly string[] {
    return [...this.providers.keys()];
  }

  /** How long a token can be accepted after its `iat`, milliseconds: a second more than the limits say, because jose drops parts of seconds. */
  get acceptedForMs(): number {
    return (this.settings.maxAgeSec + this.settings.clockToleranceSec + 1) * 1000;
  }

  /**
   * @throws {LogoutTokenRefusedError} the token is wrong
   * @throws {Error} the provider's keys are away, or may have changed a moment ago: the token may be good
   */
  async verify(token: string): Promise<LogoutToken> {
    if (token.length > MAX_TOKEN_LENGTH)
      throw new LogoutTokenRefusedError(`a token of at most ${MAX_TOKEN_LENGTH} characters is expected`);
    const jose = await loadJose();
    const provider = this.findProvider(jose, token);
    const { header, claims } = await this.verifySignature(jose, token, provider);
    if (!TYPES.includes(typeof header === 'string' ? header.toLowerCase() : header))
      throw new LogoutTokenRefusedError('typ has to be logout+jwt');
    return readClaims(claims);
  }

  private findProvider({ decodeJwt }: Jose, token: string): Provider {
    let issuer: string | undefined;
    try {
      issuer = decodeJwt(token).iss;
    } catch {
      throw new LogoutTokenRefusedError('a signed JWT is expected');
    }
    const provider = this.providers.get(issuer ?? '');
    if (provider === undefined) throw new LogoutTokenRefusedError('iss is no provider of this application');
    return provider;
  }

  private async verifySignature(
    { jwtVerify }: Jose,
    token: string,
    { issuer, clientId, algorithms, loading }: Provider,
  ): Promise<{ header: unknown; claims: JsonObject }> {
    const keys = await loading.run();
    const isKnownLately = 'coolingDown' in keys && keys.coolingDown;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        issuer,
        audience: [...clientId],
        algorithms: [...algorithms],
        clockTolerance: this.settings.clockToleranceSec,
        maxTokenAge: this.settings.maxAgeSec,
        requiredClaims: ['iat', 'jti'],
        currentDate: new Date(this.clock.now()),
      });
      return { header: protectedHeader.typ, claims: payload as JsonObject };
    } catch (error) {
      const code = readMember(error, 'code');
      const mayBeNew = code === NO_MATCHING_KEY && isKnownLately;
      if (mayBeNew || typeof code !== 'string' || !TOKEN_ERROR.test(code)) throw error;
      throw new LogoutTokenRefusedError((error as Error).message);
    }
  }

  private async loadKeys({ jwksUri, keys }: LogoutProviderSettings): Promise<Keys> {
    const { createLocalJWKSet, createRemoteJWKSet } = await loadJose();
    if (jwksUri === undefined) return createLocalJWKSet({ keys: [...(keys?.keys ?? [])] });
    return createRemoteJWKSet(new URL(jwksUri), {
      timeoutDuration: this.settings.jwksTimeoutMs,
      cooldownDuration: KEYS_COOLDOWN_MS,
    });
  }
}

function readClaims(claims: JsonObject): LogoutToken {
  const { iss, sub, sid, jti, iat, events } = claims;
  if (Object.hasOwn(claims, 'nonce')) throw new LogoutTokenRefusedError('nonce must not be there');
  const event = isJsonObject(events) ? ownMember(events, LOGOUT_EVENT) : undefined;
  if (!isJsonObject(event))
    throw new LogoutTokenRefusedError(`events has to have the member ${LOGOUT_EVENT}`);
  if (!isText(jti)) throw new LogoutTokenRefusedError('jti has to be a text');
  for (const [name, value] of Object.entries({ sub, sid }))
    if (value !== undefined && !isText(value)) throw new LogoutTokenRefusedError(`${name} has to be a text`);
  if (sub === undefined && sid === undefined) throw new LogoutTokenRefusedError('sub or sid has to be there');
  return {
    issuer: iss as string,
    sub: sub as string | undefined,
    sid: sid as string | undefined,
    jti,
    issuedAtMs: (iat as number) * 1000,
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
