import { cpuUsage } from 'node:process';
import type { Explored, Limits } from './explorer.js';
import { FeedBasis, FeedWorld, POLL_MS } from './feed-world.js';
import { judgeByFeed } from './spec.js';
import type { Violation } from './state.js';

/** One step of the model of the feed. */
export type FeedChoice =
  | { readonly do: 'request'; readonly instance: number; readonly token: 'first' | 'refreshed' }
  | { readonly do: 'go'; readonly parked: number }
  | { readonly do: 'leave'; readonly request: number }
  | { readonly do: 'revoke' | 'read'; readonly instance: number }
  | { readonly do: 'wait'; readonly ms: number };

const BUDGET = { request: 2, revoke: 1, read: 2, wait: 1 };
const WAITS = [2 * POLL_MS, 2 * POLL_MS + 1];

/** The knowledge of the rules about one instance. */
interface Known {
  provenMs: number;
  knowsTheEnd: boolean;
  /** The read under way: when it began, and whether the end was on record when it looked. */
  reading: { readonly beganMs: number; sawTheEnd: boolean } | undefined;
}

/** A schedule on real instances, with what the rules say about it. */
class FeedRun {
  readonly left = { ...BUDGET };
  readonly known: Known[];
  /** Whether the row is gone, and its record is in the feed. */
  isOnRecord = false;
  revokedAt: { readonly instance: number; readonly ms: number } | undefined;

  private constructor(readonly world: FeedWorld) {
    const provenMs = world.clock.now();
    this.known = world.instances.map(() => ({ provenMs, knowsTheEnd: false, reading: undefined }));
  }

  static async start(basis: FeedBasis): Promise<FeedRun> {
    return new FeedRun(await FeedWorld.start(basis));
  }

  choices(): readonly FeedChoice[] {
    const { left, world } = this;
    const both = [0, 1];
    return [
      ...world.parked.map((_, parked): FeedChoice => ({ do: 'go', parked })),
      ...world.requests.flatMap(({ status }, request): FeedChoice[] =>
        status === 'handling' ? [{ do: 'leave', request }] : [],
      ),
      ...(left.request > 0
        ? both
            .filter((instance) => !this.isVerifying(instance))
            .flatMap((instance) =>
              (['first', 'refreshed'] as const).map((token): FeedChoice => ({
                do: 'request',
                instance,
                token,
              })),
            )
        : []),
      // The instances are alike, so the first one serves the revocation.
      ...(left.revoke > 0 ? [{ do: 'revoke', instance: 0 } as const] : []),
      ...(left.read > 0
        ? both
            .filter((instance) => this.known[instance]?.reading === undefined)
            .map((instance): FeedChoice => ({ do: 'read', instance }))
        : []),
      ...(left.wait > 0 ? WAITS.map((ms): FeedChoice => ({ do: 'wait', ms })) : []),
    ];
  }

  /** Makes one step. @returns the property that does not hold any more */
  async step(choice: FeedChoice): Promise<string | undefined> {
    const { world, left } = this;
    switch (choice.do) {
      case 'wait':
        left.wait--;
        world.clock.nowMs += choice.ms;
        return undefined;
      case 'request':
        left.request--;
        return this.request(choice.instance, choice.token);
      case 'leave':
        return this.leave(choice.request);
      case 'revoke':
        left.revoke--;
        world.revoke(choice.instance, () => this.noteRevoked(choice.instance));
        await world.settle();
        return undefined;
      case 'read':
        left.read--;
        this.at(choice.instance).reading = { beganMs: world.clock.now(), sawTheEnd: false };
        world.read(choice.instance, () => this.noteRead(choice.instance));
        await world.settle();
        return undefined;
      case 'go':
        await this.go(choice.parked);
        return undefined;
    }
  }

  private async request(instance: number, token: 'first' | 'refreshed'): Promise<string | undefined> {
    const { world, revokedAt } = this;
    const now = world.clock.now();
    const expected = judgeByFeed(this.at(instance), now, POLL_MS);
    world.request(instance, token);
    await world.settle();
    const request = world.requests.at(-1);
    const seen =
      { handling: 'accept', refused: 'refuse', verifying: 'ask' }[request?.status as 'handling'] ?? 'fail';
    if (seen === 'accept' && revokedAt !== undefined && now - revokedAt.ms > 2 * POLL_MS)
      return 'P2 no life after a confirmed revocation: a request was accepted beyond the bound of the feed';
    if (seen === 'accept' && revokedAt?.instance === instance)
      return 'P2 no life after a confirmed revocation: the process that confirmed it accepts a request';
    // The first use of a refreshed token asks the store in any case.
    const allowed = token === 'refreshed' && expected === 'accept' ? 'ask' : expected;
    return seen === allowed
      ? undefined
      : `the rules (test/prove/spec.ts): a request led to "${seen}", not "${allowed}"`;
  }

  private leave(index: number): string | undefined {
    const request = this.world.requests[index];
    if (request === undefined) throw new Error(`There is no request ${index}`);
    const carriesToken = this.world.leave(request);
    return carriesToken && this.at(request.instance).knowsTheEnd
      ? 'P2 no life after a confirmed revocation: a late response carries a token of the ended session'
      : undefined;
  }

  private async go(index: number): Promise<void> {
    const { world } = this;
    const [call] = world.parked.splice(index, 1);
    if (call === undefined) throw new Error(`There is no call ${index}`);
    const instance = Number(call.name.slice(-1));
    const asked = world.requests.filter((each) => each.status === 'verifying' && each.instance === instance);
    if (call.name.startsWith('deleteSessions')) this.isOnRecord = true;
    const { reading } = this.at(instance);
    if (call.name.startsWith('look at feed') && reading !== undefined) reading.sawTheEnd = this.isOnRecord;
    call.go();
    await world.settle();
    // The store has said that the session is gone.
    if (asked.some(({ status }) => status === 'refused')) this.at(instance).knowsTheEnd = true;
  }

  private noteRevoked(instance: number): void {
    this.revokedAt = { instance, ms: this.world.clock.now() };
    this.at(instance).knowsTheEnd = true;
  }

  private noteRead(instance: number): void {
    const known = this.at(instance);
    if (known.reading === undefined) return;
    known.provenMs = known.reading.beganMs;
    known.knowsTheEnd ||= known.reading.sawTheEnd;
    known.reading = undefined;
  }

  private isVerifying(instance: number): boolean {
    return this.world.requests.some((each) => each.instance === instance && each.status === 'verifying');
  }

  private at(instance: number): Known {
    const known = this.known[instance];
    if (known === undefined) throw new Error(`There is no instance ${instance}`);
    return known;
  }

  /** Returns the text by which two states are the same: what the parties see, and what the instances hold. */
  key(): string {
    const { world, known, left, isOnRecord, revokedAt } = this;
    const held = world.instances.map(({ watch, dependencies }) => [
      watch.state,
      Math.min(watch.ageMs, 3 * POLL_MS),
      watch.size,
      dependencies.verifier.cachedTokens,
    ]);
    const requests = world.requests.map(({ instance, token, status, response }) => [
      instance,
      token,
      status,
      response.getHeader('st-access-token') !== undefined,
    ]);
    const calls = world.parked.map(({ name }) => name).sort();
    const now = world.clock.now();
    return JSON.stringify([held, requests, calls, known, left, isOnRecord, revokedAt, now]);
  }
}

/** A schedule that is to be continued. */
interface Begun {
  readonly schedule: readonly FeedChoice[];
  readonly choices: readonly FeedChoice[];
}

/** Tries every schedule of the model of the feed: each from its start, on instances of its own. */
export async function exploreFeed(limits: Limits): Promise<Explored<FeedChoice>> {
  const began = performance.now();
  const cpuBefore = cpuUsage();
  const basis = await FeedBasis.start();
  const first = await replayFeed(basis, []);
  const seen = new Set<string>([first.key]);
  let frontier: Begun[] = [{ schedule: [], choices: first.choices }];
  let steps = 0;
  let depth = 0;
  const result = (isComplete: boolean, fault?: Explored<FeedChoice>['fault']): Explored<FeedChoice> => ({
    scenario: 'feed',
    states: seen.size,
    steps,
    depth,
    isComplete,
    engineRuns: steps,
    ms: Math.round(performance.now() - began),
    cpuMs: Math.round(cpuUsage(cpuBefore).user / 1000),
    fault,
  });
  while (frontier.length > 0 && depth < limits.maxDepth) {
    const next: Begun[] = [];
    for (const begun of frontier) {
      for (const choice of begun.choices) {
        steps++;
        const schedule = [...begun.schedule, choice];
        const { key, message, choices } = await replayFeed(basis, schedule);
        if (message !== undefined) return result(false, { violation: violationOf(message), schedule });
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ schedule, choices });
      }
      if (seen.size > limits.maxStates || performance.now() - began > limits.maxMs) return result(false);
    }
    frontier = next;
    depth++;
  }
  return result(frontier.length === 0);
}

function violationOf(message: string): Violation {
  const [property = '', ...rest] = message.split(': ');
  return { property, message: rest.join(': ') };
}

/** Runs a schedule from its start. */
export async function replayFeed(
  basis: FeedBasis,
  schedule: readonly FeedChoice[],
): Promise<{
  readonly key: string;
  readonly message: string | undefined;
  readonly choices: readonly FeedChoice[];
}> {
  const run = await FeedRun.start(basis);
  for (const choice of schedule) {
    const message = await run.step(choice);
    if (message !== undefined) return { key: '', message, choices: [] };
  }
  return { key: run.key(), message: undefined, choices: run.choices() };
}
