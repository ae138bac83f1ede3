import type { Clock } from '../util/clock.js';
import { NewestEntries } from '../util/newest-entries.js';
import type { BindingSecret } from './binding-secret.js';

/** A nonce names the step of time in which it was given out, so that all requests of a step share one. */
const STEP_MS = 15_000;
const LIFE_MS = 5 * 60 * 1000;
const KNOWN_NONCES = 64;
const FORM = /^([0-9a-z]{1,9})\.([\w-]{43})$/;

/**
 * Makes the nonces that proofs have to repeat, and recognises them without having kept them. A nonce says only that a proof was
 * made lately; that none is used twice is up to the store of used proofs.
 *
 * @see RFC 9449 section 8
 */
export class Nonces {
  /** The steps of the nonces that came last: there are few, and clients send the same one for minutes. */
  private readonly known = new NewestEntries<number>(KNOWN_NONCES);
  private newest: { readonly step: number; readonly nonce: string } | undefined;

  /** @param secret ready before the first call */
  constructor(
    private readonly secret: BindingSecret,
    private readonly clock: Clock,
  ) {}

  current(): string {
    const step = Math.floor(this.clock.now() / STEP_MS);
    if (this.newest?.step !== step) {
      const name = step.toString(36);
      this.newest = { step, nonce: `${name}.${this.secret.sign('nonce', name)}` };
    }
    return this.newest.nonce;
  }

  /** Returns whether a nonce is good, and whether its client should get a newer one soon. */
  judge(nonce: unknown): 'good' | 'ageing' | 'refused' {
    if (typeof nonce !== 'string') return 'refused';
    const step = this.known.get(nonce) ?? this.readStep(nonce);
    if (step === undefined) return 'refused';
    // The clocks of instances differ, so a nonce may be from a step that has not begun here.
    const ageMs = this.clock.now() - step * STEP_MS;
    if (Math.abs(ageMs) > LIFE_MS) return 'refused';
    return ageMs > LIFE_MS / 2 ? 'ageing' : 'good';
  }

  private readStep(nonce: string): number | undefined {
    const [, name = '', code = ''] = FORM.exec(nonce) ?? [];
    if (name === '' || !this.secret.isSigned(code, 'nonce', name)) return undefined;
    const step = Number.parseInt(name, 36);
    this.known.add(nonce, step);
    return step;
  }
}
