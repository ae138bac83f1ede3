import { createHmac } from 'node:crypto';
import { safeEqual } from '../util/safe-equal.js';
import { SingleFlight } from '../util/single-flight.js';
import { chain, type MaybePromise } from '../util/maybe-promise.js';

/** The use of a message authentication code, so that none passes as another. */
export type SecretPurpose = 'bound-cookie' | 'challenge' | 'nonce';

/**
 * Authenticates what clients keep for us: bound cookies, challenges and nonces. The first secret signs, all of them verify, so that
 * a secret can be replaced without ending anything.
 */
export class BindingSecret {
  private secrets: readonly string[] | undefined;
  private readonly loading: SingleFlight<readonly string[]>;

  /** @param load reads the secrets; called again after a failure */
  constructor(load: () => Promise<readonly string[]>) {
    this.loading = new SingleFlight(load);
  }

  /** Whether the other methods can be used. */
  get isReady(): boolean {
    return this.secrets !== undefined;
  }

  /** Makes the other methods usable. @returns no promise once the secrets are at hand */
  ready(): MaybePromise<void> {
    if (this.secrets !== undefined) return undefined;
    return chain(this.loading.run(), (secrets) => {
      this.secrets = secrets;
    });
  }

  /** Returns the code of some texts, 43 characters of base64url. */
  sign(purpose: SecretPurpose, ...texts: string[]): string {
    return code(this.all()[0] ?? '', purpose, texts);
  }

  isSigned(given: string, purpose: SecretPurpose, ...texts: string[]): boolean {
    return this.all().some((secret) => safeEqual(given, code(secret, purpose, texts)));
  }

  private all(): readonly string[] {
    if (this.secrets === undefined) throw new Error('BindingSecret: ready() comes first');
    return this.secrets;
  }
}

function code(secret: string, purpose: SecretPurpose, texts: readonly string[]): string {
  // Lengths and quotes of JSON keep the texts apart.
  return createHmac('sha256', secret)
    .update(JSON.stringify([purpose, ...texts]))
    .digest('base64url');
}
