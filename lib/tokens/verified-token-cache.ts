import type { JsonValue } from '../util/json.js';
import type { AccessTokenInfo } from './access-token-format.js';

/**
 * Entries are found by the end of the token, which is the end of its signature and as good as random, and then compared
 * as a whole: hashing these few characters costs a fifth of hashing all of them.
 */
const KEY_LENGTH = 32;
/** One token may take this part of the memory; a larger one is verified at each use. */
const LARGEST_SHARE = 1 / 64;

/** While a token is good. */
export interface Validity {
  /** From this moment on, milliseconds since the epoch. */
  readonly fromMs: number;
  /** Up to this moment, itself excluded; milliseconds since the epoch. */
  readonly untilMs: number;
}

/** The limits of the cache. */
export interface CacheLimits {
  /** 0 switches the cache off. */
  readonly maxEntries: number;
  /** Estimated, see {@link estimatedBytes}. 0 switches the cache off. */
  readonly maxBytes: number;
}

/**
 * Returns a copy of a text with memory of its own. A part of a string keeps the whole alive: of a cookie that is the request's
 * whole header.
 */
export type CopyText = (text: string) => string;

const copyByEncoding: CopyText = (text) => new TextDecoder().decode(new TextEncoder().encode(text));

/** The state before a token was verified: the proof is not kept if either number has changed since. */
export interface ProofStart {
  /** Of the key set. */
  readonly generation: number;
  /** Of the cache. */
  readonly epoch: number;
}

interface Entry {
  readonly key: string;
  readonly token: string;
  readonly info: AccessTokenInfo;
  readonly validity: Validity;
  readonly bytes: number;
  /** Read since the hand last passed. */
  isUsed: boolean;
  /** The entries that came just after and just before. */
  next: Entry | undefined;
  previous: Entry | undefined;
  /** The same among the tokens of its session. */
  nextOfSession: Entry | undefined;
  previousOfSession: Entry | undefined;
}

/** Entries that one eviction passes over because they were used; then it takes the next one, used or not. */
const MAX_SECOND_CHANCES = 64;

/**
 * Remembers tokens whose signature has been proven, keyed by the whole token.
 *
 * Bounded in entries and in bytes. SIEVE chooses the entry to evict: a hand goes over the entries from the oldest to the
 * newest, spares those that were read since it last passed, and evicts the first that was not. So tokens in use stay while a
 * flood of others passes through, and a hit moves no entry.
 *
 * @see https://www.usenix.org/conference/nsdi24/presentation/zhang-yazhuo
 */
export class VerifiedTokenCache {
  private readonly entries = new Map<string, Entry>();
  /** The newest token of each session. */
  private readonly sessions = new Map<string, Entry>();
  private oldest: Entry | undefined;
  private newest: Entry | undefined;
  /** The entry that is looked at next when room is needed; undefined: the oldest. */
  private hand: Entry | undefined;
  private usedBytes = 0;
  private generation = 0;
  private revocations = 0;

  constructor(
    private readonly limits: CacheLimits,
    private readonly copyText: CopyText = copyByEncoding,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  /** Memory that the entries take, estimated. */
  get bytes(): number {
    return this.usedBytes;
  }

  /** Grows whenever sessions are forgotten: a proof that began before is not kept. */
  get epoch(): number {
    return this.revocations;
  }

  /**
   * @param generation that of the key set; when a key has left it, everything remembered is forgotten
   * @returns undefined also for a token that is not good at this moment
   */
  get(token: string, generation: number, nowMs: number): AccessTokenInfo | undefined {
    if (generation !== this.generation) {
      this.clear();
      this.generation = generation;
    }
    const entry = this.entries.get(tokenCacheKey(token));
    if (entry === undefined || entry.token !== token) return undefined;
    if (nowMs < entry.validity.fromMs || nowMs >= entry.validity.untilMs) return undefined;
    entry.isUsed = true;
    return entry.info;
  }

  /** @param before taken before the token was verified; a stale proof is not kept */
  set(token: string, info: AccessTokenInfo, validity: Validity, before: ProofStart): void {
    const { maxEntries, maxBytes } = this.limits;
    if (maxEntries === 0 || before.generation !== this.generation || before.epoch !== this.revocations)
      return;
    const bytes = estimatedBytes(token, info);
    if (bytes > maxBytes * LARGEST_SHARE) return;
    const previous = this.entries.get(tokenCacheKey(token));
    if (previous !== undefined) this.remove(previous);
    while (
      this.oldest !== undefined &&
      (this.entries.size >= maxEntries || this.usedBytes + bytes > maxBytes)
    ) {
      this.evict(this.oldest);
    }
    this.add(token, info, validity, bytes);
  }

  delete(token: string): void {
    const entry = this.entries.get(tokenCacheKey(token));
    if (entry?.token === token) this.remove(entry);
  }

  /** Forgets every token of these sessions. */
  deleteSessions(sessionHandles: readonly string[]): void {
    if (sessionHandles.length === 0) return;
    this.revocations++;
    for (const handle of sessionHandles) {
      for (let entry = this.sessions.get(handle); entry !== undefined; entry = this.sessions.get(handle)) {
        this.remove(entry);
      }
    }
  }

  /** Forgets every token whose facts fulfil a condition, and keeps no proof that is under way. */
  deleteWhere(condition: (info: AccessTokenInfo) => boolean): void {
    this.revocations++;
    for (const entry of this.entries.values()) if (condition(entry.info)) this.remove(entry);
  }

  /** Forgets every token, and keeps no proof that is under way. */
  deleteAll(): void {
    this.revocations++;
    this.clear();
  }

  private add(token: string, info: AccessTokenInfo, validity: Validity, bytes: number): void {
    const text = this.copyText(token);
    const entry: Entry = {
      key: tokenCacheKey(text),
      token: text,
      info,
      validity,
      bytes,
      isUsed: false,
      next: undefined,
      previous: this.newest,
      nextOfSession: undefined,
      previousOfSession: this.sessions.get(info.sessionHandle),
    };
    if (entry.previous === undefined) this.oldest = entry;
    else entry.previous.next = entry;
    this.newest = entry;
    if (entry.previousOfSession !== undefined) entry.previousOfSession.nextOfSession = entry;
    this.sessions.set(info.sessionHandle, entry);
    this.entries.set(entry.key, entry);
    this.usedBytes += bytes;
  }

  private evict(oldest: Entry): void {
    let entry = this.hand ?? oldest;
    for (let n = 0; n < MAX_SECOND_CHANCES && entry.isUsed; n++) {
      entry.isUsed = false;
      entry = entry.next ?? oldest;
    }
    this.hand = entry;
    this.remove(entry);
  }

  private remove(entry: Entry): void {
    const { next, previous, nextOfSession, previousOfSession, info } = entry;
    this.entries.delete(entry.key);
    this.usedBytes -= entry.bytes;
    if (this.hand === entry) this.hand = next;
    if (previous === undefined) this.oldest = next;
    else previous.next = next;
    if (next === undefined) this.newest = previous;
    else next.previous = previous;
    if (previousOfSession !== undefined) previousOfSession.nextOfSession = nextOfSession;
    if (nextOfSession !== undefined) nextOfSession.previousOfSession = previousOfSession;
    else if (previousOfSession !== undefined) this.sessions.set(info.sessionHandle, previousOfSession);
    else this.sessions.delete(info.sessionHandle);
    // An evicted entry would otherwise keep its younger neighbours alive until the next full garbage collection.
    entry.next = entry.previous = entry.nextOfSession = entry.previousOfSession = undefined;
  }

  private clear(): void {
    this.entries.clear();
    this.sessions.clear();
    this.oldest = undefined;
    this.newest = undefined;
    this.hand = undefined;
    this.usedBytes = 0;
  }
}

/** Returns the key of a token. Different tokens may share it, so a found entry is compared as a whole. */
export function tokenCacheKey(token: string): string {
  return token.slice(-KEY_LENGTH);
}

/** Its places in two maps, itself, the facts without the payload. */
const ENTRY_BYTES = 600;

/**
 * Memory that an entry takes on a 64-bit machine, bytes. Compared with the heap it is between a fifth too little, for
 * many names that no other token has, and a half too much.
 */
export function estimatedBytes(token: string, info: AccessTokenInfo): number {
  return ENTRY_BYTES + token.length + valueBytes(info.payload);
}

function valueBytes(value: JsonValue): number {
  if (typeof value === 'string') return stringBytes(value);
  if (typeof value === 'number') return 16;
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = 56;
  if (Array.isArray(value)) {
    for (const item of value) bytes += 8 + valueBytes(item);
  } else {
    for (const name of Object.keys(value)) bytes += 32 + name.length + valueBytes(value[name] ?? null);
  }
  return bytes;
}

const NOT_ASCII = /[^\0-\x7f]/;

/** Two bytes for each character as soon as one needs them. */
function stringBytes(text: string): number {
  const isNarrow = !NOT_ASCII.test(text);
  return 24 + (isNarrow ? text.length : 2 * text.length);
}
