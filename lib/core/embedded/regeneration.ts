import type { Clock } from '../../util/clock.js';
import type { UserContext } from '../../util/user-context.js';
import type { RegenerateInput, RegenerateResult } from '../core.types.js';
import type { AccessTokens } from './access-tokens.js';
import { unauthorised } from './rotation-parts.js';
import type { SessionColumns } from './session-columns.js';
import { parseSessionHandle } from './session-handle.js';
import type { SessionIssuer } from './session-issuer.js';

interface RegenerationParts {
  readonly clock: Clock;
  readonly accessTokens: AccessTokens;
  readonly columns: SessionColumns;
}

/** Stores a payload, and makes an access token with it that replaces the presented one. */
export class Regeneration {
  constructor(
    private readonly parts: RegenerationParts,
    private readonly issuer: SessionIssuer,
  ) {}

  async run(input: RegenerateInput, userContext: UserContext | undefined): Promise<RegenerateResult> {
    const { clock, accessTokens, columns } = this.parts;
    const now = clock.now();
    const proof = await accessTokens.proveOrName(input.accessToken, now);
    if (!proof.isProven) return unauthorised(proof.message);
    const { info } = proof;
    const key = parseSessionHandle(info.sessionHandle);
    if (key === undefined) return unauthorised('Session does not exist.');
    const given = { ...input.userDataInJWT, ...input.change?.set };
    if (!(await columns.mayStorePayload(key, given, info.version)))
      return unauthorised('Session does not exist.');
    const row = await columns.regenerate(key, input, userContext);
    if (row === undefined) return unauthorised('Session does not exist.');
    const session = await this.issuer.toCoreSession(row);
    if (info.expiryMs < now) return { status: 'OK', session };
    const accessToken = await this.issuer.reissue(info, row, session, {
      expiryMs: info.expiryMs,
      parentRefreshTokenHash1: info.parentRefreshTokenHash1,
    });
    return { status: 'OK', session, accessToken };
  }
}
