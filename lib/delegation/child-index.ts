import { createHash } from 'node:crypto';
import { changeValue, MemoryValues, type SharedValues } from '../audit/shared-values.js';
import { CoreBadInputError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { parseJsonObject } from '../util/json.js';
import { KeyedMutex } from '../util/keyed-mutex.js';

/** The shared value that says until when there may be children at all: without any, an end of a session reads nothing else. */
const ANY = 'children';
/** So much longer is said at once, because each child lives a little longer than the one before. */
const ANY_AHEAD_MS = 3_600_000;
/** How long the result "there are none" counts. The first children of all may be missed for so long; they end at their next refresh. */
const NONE_FOR_MS = 10_000;
const MAX_CHILDREN = 500;
const READ_TOGETHER = 50;

/** The children of each session, so that they end in the same moment. A child whose note is lost ends at its next refresh. */
export class ChildIndex {
  private readonly ownValues = new MemoryValues();
  private readonly turns = new KeyedMutex();
  private anyUntilMs = Number.NEGATIVE_INFINITY;
  private askedMs = Number.NEGATIVE_INFINITY;

  /** @param core without shared values, the children are known that this process has made */
  constructor(
    private readonly core: { readonly sharedValues: SharedValues | undefined },
    private readonly clock: Clock,
  ) {}

  /**
   * Notes a child, or that it lives longer.
   *
   * @param untilMs when it ends, milliseconds since the epoch
   * @throws {CoreBadInputError} the parent has 500 live children
   */
  async add(parentHandle: string, childHandle: string, untilMs: number): Promise<void> {
    const now = this.clock.now();
    this.anyUntilMs = Math.max(this.anyUntilMs, untilMs);
    const { values, ...ways } = { values: this.values, clock: this.clock, turns: this.turns };
    const anyUntilMs = untilMs + ANY_AHEAD_MS;
    if (Number((await values.read(ANY, now)) ?? 0) < untilMs)
      await changeValue(values, ANY, ways, (text = '0') =>
        Number(text) >= untilMs ? undefined : { text: String(anyUntilMs), untilMs: anyUntilMs },
      );
    await changeValue(values, nameOf(parentHandle), ways, (text) => {
      const live = Object.entries(readChildren(text)).filter(
        ([handle, endMs]) => endMs > now && handle !== childHandle,
      );
      if (live.length >= MAX_CHILDREN) {
        throw new CoreBadInputError(
          `The session has ${MAX_CHILDREN} live child sessions: end some, or give them a shorter life`,
        );
      }
      const children = Object.fromEntries([...live, [childHandle, untilMs]]);
      const next = JSON.stringify(children);
      if (next === text) return undefined;
      return { text: next, untilMs: Math.max(...Object.values(children)) };
    });
  }

  /** Returns the handles of the children of sessions; some of them may have ended. */
  async find(parentHandles: readonly string[]): Promise<string[]> {
    if (parentHandles.length === 0 || !(await this.mayBeAny())) return [];
    const now = this.clock.now();
    const found: string[] = [];
    for (let first = 0; first < parentHandles.length; first += READ_TOGETHER) {
      const names = parentHandles.slice(first, first + READ_TOGETHER).map(nameOf);
      const texts = await Promise.all(names.map(async (name) => this.values.read(name, now)));
      found.push(...texts.flatMap((text) => Object.keys(readChildren(text))));
    }
    return found;
  }

  private async mayBeAny(): Promise<boolean> {
    const now = this.clock.now();
    if (this.anyUntilMs > now) return true;
    if (now >= this.askedMs && now - this.askedMs < NONE_FOR_MS) return false;
    const text = await this.values.read(ANY, now);
    this.askedMs = now;
    this.anyUntilMs = Number(text ?? 0);
    return this.anyUntilMs > now;
  }

  private get values(): SharedValues {
    return this.core.sharedValues ?? this.ownValues;
  }
}

function nameOf(sessionHandle: string): string {
  return `${ANY}.${createHash('sha256').update(sessionHandle).digest('base64url')}`;
}

function readChildren(text: string | undefined): Record<string, number> {
  const children = parseJsonObject(text ?? '') ?? {};
  return Object.fromEntries(
    Object.entries(children).flatMap(([handle, untilMs]) =>
      typeof untilMs === 'number' ? [[handle, untilMs]] : [],
    ),
  );
}
