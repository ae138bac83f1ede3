import type { CoreClient } from '../core/core-client.js';
import {
  CONFIRMATION_CLAIM,
  confirmationClaim,
  readConfirmation,
  type KeyConfirmation,
} from '../util/key-confirmation.js';
import type { UserContext } from '../util/user-context.js';
import type { JsonObject, NamesChange } from '../util/json.js';
import type { RegeneratedAccessToken } from './stored-sessions.interface.js';

/** A session whose stored payload is written. */
interface BindableSession {
  getHandle(): string;
  assertPayloadFits(further: JsonObject): Promise<void>;
  changeTokens(change: (accessToken: string) => Promise<RegeneratedAccessToken | undefined>): Promise<void>;
}

/** Writes payloads and re-issues tokens. */
interface PayloadWriter {
  applyOwnChange(
    accessToken: string,
    change: NamesChange,
    userContext: UserContext,
  ): Promise<RegeneratedAccessToken | undefined>;
}

/** Writes to which key a session is bound: into its stored payload, and into the access token of the response. */
export class KeyBindings {
  constructor(
    private readonly core: Pick<CoreClient, 'getSessionInformation'>,
    private readonly payloads: () => PayloadWriter,
  ) {}

  /**
   * Binds a session to a key, unless it is bound: of several keys that come at once, the first counts. A SuperTokens Core cannot compare and
   * set, so what it holds afterwards is read once more; two instances that write in the same moment can still both believe that they won.
   *
   * @returns the key that it is bound to
   */
  async bind(session: BindableSession, confirmation: KeyConfirmation): Promise<KeyConfirmation | undefined> {
    const userContext: UserContext = {};
    const claim = confirmationClaim(confirmation);
    await session.assertPayloadFits(claim);
    await session.changeTokens((accessToken) =>
      this.payloads().applyOwnChange(accessToken, { set: {}, remove: [], add: claim }, userContext),
    );
    const stored = await this.core.getSessionInformation(session.getHandle(), {});
    return stored && readConfirmation(stored.userDataInJWT);
  }

  /** Forgets the key of a session, whose browser never learned that it was bound; not one that the browser has shown since. */
  async release(
    session: BindableSession,
    confirmation: KeyConfirmation,
    userContext: UserContext,
  ): Promise<void> {
    const change = { set: {}, remove: [CONFIRMATION_CLAIM], onlyIf: confirmationClaim(confirmation) };
    await session.changeTokens((accessToken) =>
      this.payloads().applyOwnChange(accessToken, change, userContext),
    );
  }
}

/** Notes that the browser has got the bound cookie of its key. If that fails, the next sign of the key is noted. */
export async function confirmKey(
  core: Pick<CoreClient, 'changeAccessTokenPayload'>,
  sessionHandle: string,
  confirmation: KeyConfirmation,
  userContext: UserContext,
): Promise<void> {
  const set = confirmationClaim({ ...confirmation, confirmed: true });
  const change = { set, remove: [], onlyIf: confirmationClaim(confirmation) };
  await core.changeAccessTokenPayload(sessionHandle, change, userContext).catch(() => undefined);
}
