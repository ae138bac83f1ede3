import { DeviceCheckUnavailableError, TryRefreshTokenError, UnauthorisedError } from '../errors.js';
import { isForeignRequest } from '../http/csrf.js';
import { distinct } from '../http/token-cookies.js';
import type { SessionRequest } from '../http/session-request.js';
import { writeLines } from '../http/written-headers.js';
import { isIpAddress, readHostname } from '../options/domains.js';
import type { SessionConfig } from '../options/session-config.js';
import { SESSION_ROUTES } from '../options/session-routes.js';
import type { Clock } from '../util/clock.js';
import { parseJsonObject, type JsonObject } from '../util/json.js';
import type { KeyConfirmation } from '../util/key-confirmation.js';
import { safeEqual } from '../util/safe-equal.js';
import { BoundCookie, type BoundSession } from './bound-cookie.js';
import type { BindingSecret } from './binding-secret.js';
import { Challenges, type ChallengePurpose } from './challenges.js';
import type { DbscSettings } from '../options/device-bound-options.js';
import { OtherAddressError, ProofError, verifyProof } from './proof.js';
import { quote, readSkipReasons } from './structured-header.js';

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
  /** True if one came that is not good: the browser had no reason to renew it. It is deleted with this response. */
  readonly isPresent: boolean;
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
  /** The host of the website, if it is the same for every request. */
  private readonly constantWebsite: string | undefined;
  private readonly challenges: Challenges;

  constructor(
    private readonly config: SessionConfig,
    private readonly settings: DbscSettings,
    secret: BindingSecret,
    private readonly clock: Clock,
  ) {
    this.constantWebsite = findConstantWebsite(config);
    this.cookie = new BoundCookie(config, secret, clock, settings.cookieLifeSec);
    const lifeMs = CHALLENGE_LIVES * settings.cookieLifeSec * 1000;
    this.challenges = new Challenges(secret, clock, Math.max(lifeMs, MIN_CHALLENGE_LIFE_MS));
  }

  /** Asks the browser to make a key for a session whose tokens are on this response, if it would renew the cookie for the website. */
  offer(request: SessionRequest, sessionHandle: string): void {
    const { appInfo } = this.config;
    if (!appInfo.apiDomain.startsWith('https:') || !this.renewsForWebsite(request)) return;
    const path = appInfo.apiBasePath + SESSION_ROUTES.registerDevice.path;
    const challenge = this.challenges.make('register', sessionHandle);
    const algorithms = this.settings.algorithms.join(' ');
    const value = `(${algorithms});path=${quote(path)};challenge=${quote(challenge)}`;
    request.response.setHeader('Secure-Session-Registration', value);
  }

  /** A website of another site that `origin` chooses per request is not in the instructions, which the browser fetches without a page. */
  private renewsForWebsite(request: SessionRequest): boolean {
    const { appInfo, allowedOrigins } = this.config;
    if (appInfo.websiteSite(request) === appInfo.apiSite || allowedOrigins !== undefined) return true;
    return readHostname(appInfo.websiteOrigin(request)) === this.constantWebsite;
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
    const isPresent = isGood === false;
    if (isPresent && !request.response.isSent)
      writeLines(request.response, { cookies: this.cookie.removal(request) });
    return { isPresent, skipped: readSkipReasons(request.request) };
  }

  /** @throws {TryRefreshTokenError} a guarded request may not pass without the cookie: the client refreshes, and the browser renews the cookie first */
  assertMayPass({ skipped }: MissingCookie): void {
    if (skipped.length > 0 && this.settings.whenSkipped === 'accept') return;
    throw new TryRefreshTokenError(describe(skipped));
  }

  /**
   * Decides about a refresh without a good cookie.
   *
   * @throws {DeviceCheckUnavailableError} the browser could not renew the cookie, or will only now: the client may try again
   * @throws {UnauthorisedError} this is not the device, or it has lost its key. The session lives on for the one that has it
   */
  assertMayRefresh(missing: MissingCookie, request: SessionRequest): void {
    const { skipped, isPresent } = missing;
    if (skipped.length > 0 && this.settings.whenSkipped === 'accept') return;
    if (skipped.length > 0 || isPresent)
      throw new DeviceCheckUnavailableError(describe(skipped), RETRY_AFTER_SEC);
    const clearTokens = this.canRenew(request) && !isForeignRequest(request, this.config);
    throw new UnauthorisedError(describe(skipped), { clearTokens });
  }

  /** Whether the browser renews the cookie for the page that sent a request. */
  private canRenew(request: SessionRequest): boolean {
    const origin = request.request.getHeaderValue('origin');
    if (origin === undefined || !URL.canParse(origin)) return true;
    const { hostname } = new URL(origin);
    const hosts = [readHostname(this.config.appInfo.apiDomain), ...this.initiators()];
    return hosts.some((host) =>
      host.startsWith('*.') ? hostname.endsWith(host.slice(1)) : hostname === host,
    );
  }

  /** Returns the value of `Secure-Session-Challenge`. */
  challenge(purpose: ChallengePurpose, sessionHandle: string): string {
    return `${quote(this.challenges.make(purpose, sessionHandle))};id=${quote(sessionHandle)}`;
  }

  /**
   * Verifies the proof of a registration, which brings the key.
   *
   * @throws {ProofError} it is not good, or no browser sent it at an address for which it would renew the cookie
   */
  async register(request: SessionRequest, proof: string, sessionHandle: string): Promise<KeyConfirmation> {
    this.assertFromBrowser(request);
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
   * @returns `retry` after a refusal to which the browser can respond with a new proof, `refused` after the second one
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
  private initiators(): string[] {
    const { appInfo, allowedOrigins } = this.config;
    const { apiSite } = appInfo;
    const site = apiSite.includes('.') && !isIpAddress(apiSite) ? [apiSite, `*.${apiSite}`] : [];
    const hosts = allowedOrigins?.map(readHostname) ?? [...site, this.constantWebsite];
    const api = readHostname(appInfo.apiDomain);
    return distinct(hosts).filter((host) => host !== api);
  }

  /** Browsers register by themselves, at the address that the scope will name; a script cannot say the same of itself (D12). */
  private assertFromBrowser({ request }: SessionRequest): void {
    const origin = request.getHeaderValue('origin');
    if (origin !== undefined && origin !== this.config.appInfo.apiDomain)
      throw new OtherAddressError(
        `sessions are bound at ${this.config.appInfo.apiDomain} only, where browsers would renew the cookie`,
      );
    if ((request.getHeaderValue('sec-fetch-mode') ?? 'no-cors') !== 'no-cors')
      throw new ProofError('a script of a page sent it');
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
      allowed_refresh_initiators: this.initiators(),
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
  const payload = Buffer.from(proof.split('.', 2)[1] ?? '', 'base64url').toString();
  return parseJsonObject(payload)?.['jti'];
}

/** Asks without a request, where a function that needs one fails. */
function findConstantWebsite({ appInfo }: SessionConfig): string | undefined {
  try {
    return readHostname(appInfo.websiteOrigin({ request: undefined, userContext: {} }));
  } catch {
    return undefined;
  }
}
