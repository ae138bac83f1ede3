import { randomBytes } from 'node:crypto';
import type { Clock } from '../util/clock.js';
import type { BindingSecret } from './binding-secret.js';

/** The occasion for a challenge. `retry` follows a proof that was refused. */
export type ChallengePurpose = 'register' | 'refresh' | 'retry';

const RANDOM_BYTES = 16;
const FORM = /^(register|refresh|retry)\.([0-9a-z]{1,11})\.([\w-]{22})\.([\w-]{43})$/;

/**
 * Makes challenges and recognises them without having kept them: each holds its purpose and its time, and is authenticated
 * together with the session that it was made for. A challenge can be used again within its life; the cookie that this
 * brings is of use only beside the session's other cookies (D24).
 */
export class Challenges {
  /** @param lifeMs longer than the life of the bound cookie, because the browser holds a challenge until it renews the cookie (D46) */
  constructor(
    private readonly secret: BindingSecret,
    private readonly clock: Clock,
    private readonly lifeMs: number,
  ) {}

  make(purpose: ChallengePurpose, sessionHandle: string): string {
    const time = this.clock.now().toString(36);
    const random = randomBytes(RANDOM_BYTES).toString('base64url');
    const code = this.secret.sign('challenge', purpose, sessionHandle, time, random);
    return `${purpose}.${time}.${random}.${code}`;
  }

  /** @returns undefined for a text that is none of ours, is of another session, or is older than its life */
  read(challenge: unknown, sessionHandle: string): { readonly purpose: ChallengePurpose } | undefined {
    const [, purpose = '', time = '', random = '', code = ''] =
      (typeof challenge === 'string' ? FORM.exec(challenge) : null) ?? [];
    if (purpose === '' || !this.secret.isSigned(code, 'challenge', purpose, sessionHandle, time, random))
      return undefined;
    const ageMs = this.clock.now() - Number.parseInt(time, 36);
    return ageMs <= this.lifeMs ? { purpose: purpose as ChallengePurpose } : undefined;
  }
}
