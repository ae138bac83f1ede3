import { DeviceCheckUnavailableError, TryRefreshTokenError, UnauthorisedError } from '../errors.js';
import { isForeignRequest } from '../http/csrf.js';
import { distinct } from '../http/token-cookies.js';
import type { SessionRequest } from '../http/session-request.js';
import { writeLines } from '../http/written-headers.js';
import { isIpAddress, readHostname } from '../options/domains.js';
import type { SessionConfig } from '../options/session-config.js';
import { SESSION_ROUTES } from '../options/session-routes.js';
import type { Clock } from '../util/clock.js';
import type { JsonObject } from '../util/json.js';
import type { KeyConfirmation } from '../util/key-confirmation.js';
import { safeEqual } from '../util/safe-equal.js';
import { BoundCookie, type BoundSession } from './bound-cookie.js';
import type { BindingSecret } from './binding-secret.js';
import { Challenges, type ChallengePurpose } from './challenges.js';
import type { DbscSettings } from '../options/device-bound-options.js';
import { ProofError, verifyProof } from './proof.js';
import { quote, readTokenList } from './structured-header.js';

/**
 * Time after a registration in which a refresh without the bound cookie passes, because it was sent before the cookie arrived.
 * The tokens that it brings are bound already.
 */
const RACING_REFRESH_MS = 15_000;
/** Time after which a client whose browser could not renew its cookie tries again. */
const RETRY_AFTER_SEC = 5;
/**
 * The life of a challenge, in lives of the cookie: the browser holds one for as long as the cookie lives (D46). Not longer, because a
 * proof can be shown again for as long. A browser that comes later gets a new challenge, which costs it one more round trip.
 */
const CHALLENGE_LIVES = 2;
const MIN_CHALLENGE_LIFE_MS = 60_000;

/** A request without a good bound cookie. */
export interface MissingCookie {
  /** The reasons for which the browser says that it did not renew the cookie; empty if it says nothing. */
  readonly skipped: readonly string[];
}

/**
 * Device Bound Session Credentials: the browser keeps a key that cannot be copied, and shows from time to time that it has it,
 * for which it gets a short-lived cookie. The guard and the refresh route ask for that cookie.
 *
 * @see https://w3c.github.io/webappsec-dbsc/, and docs/guides/device-bound.md
 */
export class DbscBinding {
  readonly cookie: BoundCookie;
  private readonly challenges: Challenges;

  constructor(
    private readonly config: SessionConfig,
    private readonly settings: DbscSettings,
    secret: BindingSecret,
    private readonly clock: Clock,
  ) {
    this.cookie = new BoundCookie(config, secret, clock, settings.cookieLifeSec);
    const lifeMs = CHALLENGE_LIVES * settings.cookieLifeSec * 1000;
    this.challenges = new Challenges(secret, clock, Math.max(lifeMs, MIN_CHALLENGE_LIFE_MS));
  }

  /** Asks the browser to make a key for a session whose tokens are on this response. */
  offer(request: SessionRequest, sessionHandle: string): void {
    const { appInfo } = this.config;
    if (!appInfo.apiDomain.startsWith('https:')) return;
    const path = appInfo.apiBasePath + SESSION_ROUTES.registerDevice.path;
    const challenge = this.challenges.make('register', sessionHandle);
    const algorithms = this.settings.algorithms.join(' ');
    const value = `(${algorithms});path=${quote(path)};challenge=${quote(challenge)}`;
    request.response.setHeader('Secure-Session-Registration', value);
  }

  /** Returns undefined if a request has the bound cookie of a session. @param rememberedToken for `BoundCookie.recalls` */
  findMissing(
    request: SessionRequest,
    session: BoundSession,
    rememberedToken?: object,
  ): MissingCookie | undefined {
    const isGood = this.cookie.isGood(request, session, rememberedToken);
    if (isGood === true) return undefined;
    // A browser renews only a cookie that it does not have.
    if (isGood === false && !request.response.isSent)
      writeLines(request.response, { cookies: [this.cookie.removal(request)] });
    return { skipped: readTokenList(request.request.getHeaderValue('secure-session-skipped')) };
  }

  /** @throws {TryRefreshTokenError} a guarded request may not pass without the cookie: the client refreshes, and the browser renews the cookie first */
  assertMayPass({ skipped }: MissingCookie): void {
    if (skipped.length > 0 && this.settings.whenSkipped === 'accept') return;
    throw new TryRefreshTokenError(describe(skipped));
  }

  /**
   * Decides about a refresh without the cookie.
   *
   * @throws {DeviceCheckUnavailableError} the browser could not renew the cookie: the client may try again
   * @throws {UnauthorisedError} this is not the device, or it has lost its key. The session lives on for the one that has it
   */
  assertMayRefresh({ skipped }: MissingCookie, { boundAt }: KeyConfirmation, request: SessionRequest): void {
    if (this.clock.now() - boundAt * 1000 < RACING_REFRESH_MS) return;
    if (skipped.length > 0) {
      if (this.settings.whenSkipped === 'accept') return;
      throw new DeviceCheckUnavailableError(describe(skipped), RETRY_AFTER_SEC);
    }
    throw new UnauthorisedError(describe(skipped), { clearTokens: !isForeignRequest(request, this.config) });
  }

  /** Returns the value of `Secure-Session-Challenge`. */
  challenge(purpose: ChallengePurpose, sessionHandle: string): string {
    return `${quote(this.challenges.make(purpose, sessionHandle))};id=${quote(sessionHandle)}`;
  }

  /**
   * Verifies the proof of a registration, which brings the key.
   *
   * @throws {ProofError}
   */
  async register(proof: string, sessionHandle: string): Promise<KeyConfirmation> {
    const { claims, jwk, jkt } = await verifyProof(proof, {
      typ: 'dbsc+jwt',
      algorithms: this.settings.algorithms,
    });
    if (this.challenges.read(claims['jti'], sessionHandle)?.purpose !== 'register')
      throw new ProofError('the challenge is not of this session, or too old');
    return { jkt, via: 'dbsc', jwk, boundAt: Math.floor(this.clock.now() / 1000) };
  }

  /**
   * Verifies the proof of a renewal.
   *
   * @returns `retry` after a refusal that the browser can answer with a new proof, `refused` after the second one
   */
  async renew(proof: string, { sessionHandle, confirmation }: BoundSession): Promise<RenewalResult> {
    const jwk = confirmation.jwk ?? {};
    const algorithm = jwk['kty'] === 'RSA' ? 'RS256' : 'ES256';
    const presented = this.challenges.read(unverifiedChallenge(proof), sessionHandle);
    try {
      const { jkt } = await verifyProof(proof, { typ: 'dbsc+jwt', algorithms: [algorithm], jwk });
      if (!safeEqual(jkt, confirmation.jkt)) throw new ProofError('the key is another one');
      if (presented === undefined) throw new ProofError('the challenge is not of this session, or too old');
      if (presented.purpose === 'register') throw new ProofError('the challenge is that of a registration');
      return { status: 'ok' };
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      return { status: presented?.purpose === 'retry' ? 'refused' : 'retry', message: error.message };
    }
  }

  /**
   * Returns the hosts whose pages may make the browser renew the cookie beside the API's own (D51, D54): the whole site and the website,
   * or those of `allowedOrigins`. For any other page a bound session would end, because its requests go out without the cookie.
   */
  private initiators(request: SessionRequest): string[] {
    const { appInfo, allowedOrigins } = this.config;
    const { apiSite } = appInfo;
    const site = apiSite.includes('.') && !isIpAddress(apiSite) ? [apiSite, `*.${apiSite}`] : [];
    const hosts = allowedOrigins?.map(readHostname) ?? [
      ...site,
      readHostname(appInfo.websiteOrigin(request)),
    ];
    const api = readHostname(appInfo.apiDomain);
    return distinct(hosts).filter((host) => host !== api);
  }

  /** Returns the instructions to the browser, the body of a registration and of a renewal (D30). */
  instructions(request: SessionRequest, sessionHandle: string): JsonObject {
    const { apiDomain, apiBasePath } = this.config.appInfo;
    return {
      session_identifier: sessionHandle,
      refresh_url: apiBasePath + SESSION_ROUTES.renewDevice.path,
      continue: true,
      scope: { origin: apiDomain, include_site: false, scope_specification: [] },
      credentials: [
        { type: 'cookie', name: this.cookie.name(request), attributes: this.cookie.attributes(request) },
      ],
      allowed_refresh_initiators: this.initiators(request),
    };
  }
}

/** The outcome of {@link DbscBinding.renew}. */
export type RenewalResult =
  { readonly status: 'ok' } | { readonly status: 'retry' | 'refused'; readonly message: string };

function describe(skipped: readonly string[]): string {
  return skipped.length === 0
    ? 'The session is bound to a device, and the request lacks a live cookie that shows its key'
    : `The session is bound to a device, whose browser did not renew its cookie (${skipped.join(', ')})`;
}

/** Reads the challenge before the signature is verified, because a refusal depends on it, too. */
function unverifiedChallenge(proof: string): unknown {
  try {
    const claims: unknown = JSON.parse(Buffer.from(proof.split('.', 2)[1] ?? '', 'base64url').toString());
    return typeof claims === 'object' && claims !== null ? Reflect.get(claims, 'jti') : undefined;
  } catch {
    return undefined;
  }
}
