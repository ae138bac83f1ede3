import { UnauthorisedError } from '../errors.js';
import type { SessionRequest } from '../http/session-request.js';
import type { CookieLine } from '../http/written-headers.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import type { AccessTokenInfo } from '../tokens/access-token.js';
import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import { chain, type MaybePromise } from '../util/maybe-promise.js';
import type { JsonObject } from '../util/json.js';
import { readConfirmation, type BindingKind, type KeyConfirmation } from '../util/key-confirmation.js';
import type { BindingSecret } from './binding-secret.js';
import type { DbscBinding } from './dbsc.js';
import type { DpopBinding } from './dpop.js';
import { DpopRefusedError } from './dpop-refused.error.js';

/** A session, and the user it belongs to. */
export interface BoundSubject {
  readonly sessionHandle: string;
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
}

interface CookieCheck {
  readonly subject: BoundSubject;
  readonly confirmation: KeyConfirmation;
  readonly known?: AccessTokenInfo | undefined;
}

/** A session that a token has opened. */
interface OpenedSession {
  getAccessTokenPayload(): JsonObject;
  toJSON(): BoundSubject;
}

/** The change of the binding that follows from a refresh. */
export type BindingChange =
  { readonly kind: 'confirm' | 'release'; readonly confirmation: KeyConfirmation } | undefined;

/** A session that was refreshed, before its new tokens leave. */
export interface RefreshedSession {
  readonly transferMethod: TokenTransferMethod;
  readonly session: BoundSubject;
  readonly payload: JsonObject;
  /** The access token that came beside, genuine or not. */
  readonly accessToken: string | undefined;
}

/** An access token in a header. */
interface PresentedToken {
  readonly token: string;
  /** The facts that are remembered of it. */
  readonly known: AccessTokenInfo | undefined;
  /** The facts that it names. */
  readonly info: AccessTokenInfo;
  readonly confirmation: KeyConfirmation | undefined;
}

type Note = (subject: BoundSubject, reason: string, request: SessionRequest) => void;

/** Told about what happens to bound sessions. */
export interface BindingNotes {
  /** A browser sends no bound cookie and says why. */
  readonly skipped: Note;
  /** A proof of a genuine session was refused. */
  readonly refused: Note;
  /** A browser brings the bound cookie of a key that is not confirmed; told more than once. */
  readonly shown: (sessionHandle: string, confirmation: KeyConfirmation) => void;
}

/**
 * Asks the holder of a bound session's token for the proof of its key: by a bound cookie where the token is a cookie, by a DPoP proof
 * where it is a header. A session that was bound by a way that is switched off now goes on as one that is not bound.
 */
export class DeviceBinding {
  constructor(
    readonly dbsc: DbscBinding | undefined,
    readonly dpop: DpopBinding | undefined,
    private readonly secret: BindingSecret,
    private readonly verifier: AccessTokenVerifier,
    private readonly notes: BindingNotes,
  ) {}

  /** The ways of binding that are switched on. */
  get kinds(): readonly BindingKind[] {
    return (['dbsc', 'dpop'] as const).filter((kind) => this[kind] !== undefined);
  }

  /** Reads the secret before the first request; a failure is left to that request. */
  async start(): Promise<void> {
    await Promise.resolve(this.secret.ready()).catch(() => undefined);
  }

  /**
   * Checks the proof that comes with an access token, before anything is asked of the core.
   *
   * @param token undefined if the request has none
   * @param known the facts that are remembered of it
   * @returns nothing at once where it need not wait
   * @throws {TryRefreshTokenError | UnauthorisedError} there is none, or it is not good
   */
  checkToken(
    request: SessionRequest,
    token: string | undefined,
    transferMethod: TokenTransferMethod,
    known: AccessTokenInfo | undefined,
  ): MaybePromise<void> {
    if (
      known !== undefined &&
      transferMethod === 'cookie' &&
      this.dbsc?.cookie.recalls(request, known) === true
    )
      return undefined;
    const info = known ?? (token === undefined ? undefined : this.verifier.readInfo(token));
    if (token === undefined || info === undefined) return undefined;
    const confirmation = readConfirmation(info.payload);
    if (transferMethod === 'header' && this.dpop !== undefined && confirmation?.via !== 'dbsc')
      return this.checkByProof(this.dpop, request, { token, known, info, confirmation });
    if (confirmation === undefined || this[confirmation.via] === undefined) return undefined;
    if (confirmation.via === 'dpop') throw movedElsewhere(confirmation);
    return chain(this.genuine(token, known, info), () =>
      this.checkCookie(request, transferMethod, { subject: info, confirmation, known }),
    );
  }

  /**
   * Checks a session that the core has opened. A token from before the binding has no key to ask for, and opens a session that is bound by
   * now.
   *
   * @throws as {@link checkToken}
   */
  checkOpened(
    request: SessionRequest,
    token: string | undefined,
    transferMethod: TokenTransferMethod,
    { session, known }: { readonly session: OpenedSession; readonly known: AccessTokenInfo | undefined },
  ): MaybePromise<void> {
    const payload = session.getAccessTokenPayload();
    if (payload === known?.payload) return undefined; // the token's own, which has been checked
    const confirmation = readConfirmation(payload);
    if (token === undefined || confirmation?.via !== 'dbsc' || this.dbsc === undefined) return undefined;
    const presented = this.verifier.readInfo(token);
    if (presented && readConfirmation(presented.payload)?.jkt === confirmation.jkt) return undefined;
    return this.checkCookie(request, transferMethod, { subject: session.toJSON(), confirmation });
  }

  private checkCookie(
    request: SessionRequest,
    transferMethod: TokenTransferMethod,
    { subject, confirmation, known }: CookieCheck,
  ): MaybePromise<void> {
    const { dbsc } = this;
    if (dbsc === undefined) return undefined;
    const { sessionHandle } = subject;
    return chain(this.secret.ready(), () => {
      const missing = dbsc.findMissing(request, { sessionHandle, confirmation }, known);
      if (missing === undefined) {
        if (confirmation.confirmed !== true) this.notes.shown(sessionHandle, confirmation);
        return;
      }
      // A page may send the token in a header, too, if the application shows it: beside the cookie that is no copy.
      if (transferMethod === 'header') throw movedElsewhere(confirmation);
      if (missing.skipped.length > 0) this.notes.skipped(subject, missing.skipped.join(', '), request);
      dbsc.assertMayPass(missing);
    });
  }

  /** Verifies a token that is not remembered, so that a forged one costs and reports no more than its own refusal. */
  private genuine(
    token: string,
    known: AccessTokenInfo | undefined,
    info: AccessTokenInfo,
  ): MaybePromise<AccessTokenInfo> {
    const parsed = known === undefined ? this.verifier.read(token) : undefined;
    return parsed === undefined ? info : this.verifier.verify(parsed);
  }

  /** A bound token is verified before its proof, so that nothing is kept, and nothing reported, because of a forged one. */
  private checkByProof(
    dpop: DpopBinding,
    request: SessionRequest,
    { token, known, info, confirmation }: PresentedToken,
  ): MaybePromise<void> {
    if (confirmation === undefined) return dpop.checkUnbound(request);
    return chain(this.genuine(token, known, info), () =>
      this.reported(() => dpop.checkToken(request, token, confirmation), info, request),
    );
  }

  /** Does a check of a genuine session, and reports if it refuses a proof. */
  private reported<T>(
    check: () => MaybePromise<T>,
    subject: BoundSubject,
    request: SessionRequest,
  ): MaybePromise<T> {
    const report = (error: unknown): never => {
      if (error instanceof DpopRefusedError && error.challenge.code !== 'use_dpop_nonce')
        this.notes.refused(subject, error.message, request);
      throw error;
    };
    try {
      const done = check();
      return done instanceof Promise ? done.catch(report) : done;
    } catch (error) {
      return report(error);
    }
  }

  /**
   * Returns the key that a new session is bound to; undefined if the client shows none.
   *
   * @throws {UnauthorisedError} it shows one by a proof that is not good
   */
  async keyOfNewSession(
    request: SessionRequest,
    transferMethod: TokenTransferMethod,
  ): Promise<KeyConfirmation | undefined> {
    await this.secret.ready(); // for what is offered once the session is there
    return transferMethod === 'header' ? this.dpop?.keyOfNewSession(request) : undefined;
  }

  /**
   * Checks the proof that comes with a refresh token, before the token is used.
   *
   * @throws {UnauthorisedError} there is one, and it is not good
   */
  async checkRefreshing(request: SessionRequest, transferMethod: TokenTransferMethod): Promise<void> {
    await this.secret.ready();
    if (transferMethod === 'header') await this.dpop?.checkRefreshing(request);
  }

  /**
   * Checks that a session which was refreshed is bound to what the request proves. A refusal loses no token: until the new ones are
   * used, the core accepts the old one again.
   *
   * @returns `confirm` at the first sign that the browser has got its bound cookie; `release` if it never got the response to its
   *   registration
   * @throws {UnauthorisedError | DeviceCheckUnavailableError} it is not
   */
  async checkRefreshed(request: SessionRequest, refreshed: RefreshedSession): Promise<BindingChange> {
    const confirmation = readConfirmation(refreshed.payload);
    if (confirmation === undefined || this[confirmation.via] === undefined) return undefined;
    const { transferMethod, session } = refreshed;
    if (transferMethod !== (confirmation.via === 'dbsc' ? 'cookie' : 'header'))
      throw movedElsewhere(confirmation);
    const { dbsc, dpop } = this;
    if (confirmation.via === 'dpop' || dbsc === undefined) {
      await this.reported(async () => dpop?.checkRefreshed(request, confirmation), session, request);
      return undefined;
    }
    const missing = dbsc.findMissing(request, { sessionHandle: session.sessionHandle, confirmation });
    if (missing === undefined)
      return confirmation.confirmed === true ? undefined : { kind: 'confirm', confirmation };
    if (await this.isFromBefore(refreshed, confirmation)) {
      this.notes.refused(
        session,
        'its browser never got the response to the registration: the key is forgotten',
        request,
      );
      return { kind: 'release', confirmation };
    }
    if (missing.skipped.length > 0) this.notes.skipped(session, missing.skipped.join(', '), request);
    else this.notes.refused(session, 'the refresh came without the bound cookie', request);
    dbsc.assertMayRefresh(missing, request);
    return undefined;
  }

  /** Whether the client has tokens from before the registration only, whose response it never got: then no browser holds the key. */
  private async isFromBefore(
    { accessToken, session }: RefreshedSession,
    { jkt, confirmed }: KeyConfirmation,
  ): Promise<boolean> {
    if (confirmed === true || accessToken === undefined) return false;
    const isGenuine = (await this.verifier.findSession(accessToken)) === session.sessionHandle;
    const info = isGenuine ? this.verifier.readInfo(accessToken) : undefined;
    return info !== undefined && readConfirmation(info.payload)?.jkt !== jkt;
  }

  /** Returns how the session of a payload is bound; undefined if it is not, or by a way that is switched off. */
  kindOf(payload: JsonObject): BindingKind | undefined {
    const via = readConfirmation(payload)?.via;
    return via === undefined || this[via] === undefined ? undefined : via;
  }

  /** @throws {UnauthorisedError} a token with this payload needs a proof beside it, which a message of a socket cannot bring */
  assertNeedsNoProof(payload: JsonObject): void {
    const confirmation = readConfirmation(payload);
    if (confirmation === undefined || this[confirmation.via] === undefined) return;
    throw new UnauthorisedError('The token is bound to a device: connect with it, and with the proof', {
      clearTokens: false,
    });
  }

  /** Returns the lines that delete what a browser keeps of a bound session beside its tokens. */
  removeCookies(request: SessionRequest): CookieLine[] {
    return this.dbsc === undefined ? [] : this.dbsc.cookie.removal(request);
  }

  /** Offers the browser to bind a session whose tokens are on this response, unless it is bound. */
  offer(request: SessionRequest, sessionHandle: string, payload: JsonObject): void {
    // While the secret cannot be read the session stays unbound; its next refresh offers it again.
    if (this.secret.isReady && readConfirmation(payload) === undefined)
      this.dbsc?.offer(request, sessionHandle);
  }
}

/** A copied token must not work by another way than the one that asks for the proof. */
function movedElsewhere({ via }: KeyConfirmation): UnauthorisedError {
  const way = via === 'dbsc' ? 'by cookie, beside its bound cookie' : 'in a header, beside a DPoP proof';
  return new UnauthorisedError(`The session is bound to a device: its tokens are accepted ${way}, only`, {
    clearTokens: false,
  });
}
