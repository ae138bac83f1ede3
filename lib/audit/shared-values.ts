import { CoreUnavailableError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import type { KeyedMutex } from '../util/keyed-mutex.js';
import { DEFAULT_RETRY, rest } from '../util/retries.js';

/**
 * Small texts that all instances on a store share: who delivers, and how far; which sessions belong to a sign-in at a provider.
 *
 * @publicApi
 */
export interface SharedValues {
  /** Returns a text; undefined where there is none, or its time is over. @param name at most 100 printable ASCII characters */
  read(name: string, nowMs: number): Promise<string | undefined>;
  /**
   * Replaces a text if it is still `from`. Of concurrent calls that expect the same text, one succeeds.
   *
   * @param from undefined: there is none
   * @returns whether it was replaced
   */
  replace(name: string, from: string | undefined, to: SharedValue, nowMs: number): Promise<boolean>;
}

/**
 * A text, and until when it is kept.
 *
 * @publicApi
 */
export interface SharedValue {
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
}

/** Other instances may write in between; one of them succeeds each time. At random pauses it is not always the same one. */
const ATTEMPTS = { ...DEFAULT_RETRY, attempts: 100, firstPauseMs: 1, longestPauseMs: 10 };

/**
 * Changes a text by a function of the present one, so that no concurrent change is lost.
 *
 * @param turns of the writers in this process, so that they do not hold each other up
 * @param next undefined: the text stays
 * @throws {CoreUnavailableError} others change it all the time
 */
export async function changeValue(
  values: SharedValues,
  name: string,
  { clock, turns }: { readonly clock: Clock; readonly turns: KeyedMutex },
  next: (text: string | undefined) => Promise<SharedValue | undefined> | SharedValue | undefined,
): Promise<void> {
  await turns.run(name, async () => {
    for (let attempt = 1; attempt <= ATTEMPTS.attempts; attempt++) {
      const text = await values.read(name, clock.now());
      const to = await next(text);
      if (to === undefined || (await values.replace(name, text, to, clock.now()))) return;
      await rest(ATTEMPTS, attempt);
    }
    throw new CoreUnavailableError('Too many writers change one value at once');
  });
}

/** More than one, so that those whose time is over become fewer although each write adds one. */
const LOOKED_AT = 2;

/** Shared values in the memory of this process. */
export class MemoryValues implements SharedValues {
  private readonly values = new Map<string, SharedValue>();
  private looking = this.values.keys();

  async read(name: string, nowMs: number): Promise<string | undefined> {
    return this.known(name, nowMs);
  }

  private known(name: string, nowMs: number): string | undefined {
    const value = this.values.get(name);
    if (value === undefined || value.untilMs > nowMs) return value?.text;
    this.values.delete(name);
    return undefined;
  }

  async replace(name: string, from: string | undefined, to: SharedValue, nowMs: number): Promise<boolean> {
    if (this.known(name, nowMs) !== from) return false;
    this.values.set(name, to);
    for (let n = 0; n < LOOKED_AT; n++) this.lookAtNext(nowMs);
    return true;
  }

  /** Removes the next value if its time is over, so that those which nobody reads again do not stay. */
  private lookAtNext(nowMs: number): void {
    const next = this.looking.next();
    if (next.done === true) this.looking = this.values.keys();
    else this.known(next.value, nowMs);
  }
}
