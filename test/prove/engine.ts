import { AsyncLocalStorage } from 'node:async_hooks';
import { Instance, rowIn, SetClock, storeWithKeys, type EngineRules } from './instance.js';
import type { OperationResponse, Heard, Operation, Point, StoreCall } from './operations.js';
import { Tokens } from './tokens.js';
import type { MemoryStore } from '../../lib/stores/memory.store.js';
import type { SessionRow } from '../../lib/stores/session-store.js';

/** A place in the life of an operation: what it was told so far, and where it stands. */
interface Place {
  readonly instance: number;
  readonly operation: Operation;
  readonly startedMs: number;
  readonly heard: readonly Heard[];
  readonly point: Point;
  /** The places after it, by what was heard there. */
  readonly next: Map<string, number>;
}

/** The session that every schedule begins with. */
export interface Beginning {
  readonly row: SessionRow;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/**
 * Runs the operations of the real engine one store call at a time, and remembers where each leads. Between two calls of the store an
 * operation depends on nothing but its input, what it heard and the clock, because the engine keeps no state of sessions; so the same
 * input and the same replies need to be run once. `LiveReplay` compares with engines that run side by side.
 */
export class Engine {
  readonly tokens = new Tokens();
  /** Number of runs of the real engine so far. */
  runs = 0;
  private readonly places: Place[] = [];
  private readonly starts = new Map<string, number>();
  private readonly clock = new SetClock();
  /** The part that serves the calls of each run: a run that was left behind may wake when the engine's own timeout is over. */
  private readonly script = new AsyncLocalStorage<(call: StoreCall) => Promise<unknown>>();
  private instances: Instance[] = [];
  private sessionHandle = '';

  private constructor(
    /** The store of the keys that all instances share. */
    readonly keys: MemoryStore,
  ) {}

  static async start(rules: EngineRules): Promise<{ engine: Engine; beginning: Beginning }> {
    const keys = await storeWithKeys();
    const engine = new Engine(keys);
    const park = (call: StoreCall): Promise<unknown> =>
      engine.script.getStore()?.(call) ?? Promise.reject(new Error(`${call.method} outside a run`));
    engine.instances = await Promise.all(
      rules.antiCsrf.map((antiCsrf) => Instance.start(keys, rules, antiCsrf, { clock: engine.clock, park })),
    );
    const [first] = engine.instances;
    if (first === undefined) throw new Error('A model needs an instance');
    const { endsAfterSec } = rules;
    const endSec = endsAfterSec === undefined ? undefined : engine.clock.now() / 1000 + endsAfterSec;
    const signedIn = await first.signIn(endSec === undefined ? {} : { session_expiry: endSec });
    engine.sessionHandle = signedIn.handle;
    const row = await rowIn(keys, signedIn.handle);
    const { tokens } = engine;
    return {
      engine,
      beginning: {
        row,
        accessToken: tokens.access(signedIn.accessToken),
        refreshToken: tokens.refresh(signedIn.refreshToken),
      },
    };
  }

  point(place: number): Point {
    return this.at(place).point;
  }

  operation(place: number): Operation {
    return this.at(place).operation;
  }

  /** Begins an operation. Tokens in it are names of {@link tokens}. @returns its place */
  begin(instance: number, operation: Operation, startedMs: number): number | Promise<number> {
    const key = `${instance} ${startedMs} ${JSON.stringify(operation)}`;
    return this.starts.get(key) ?? this.add({ instance, operation, startedMs, heard: [] }, this.starts, key);
  }

  /** Lets an operation hear what the store said. @returns its next place */
  hear(place: number, heard: Heard): number | Promise<number> {
    const { next, instance, operation, startedMs, heard: before } = this.at(place);
    const key = JSON.stringify(heard);
    return (
      next.get(key) ?? this.add({ instance, operation, startedMs, heard: [...before, heard] }, next, key)
    );
  }

  private at(place: number): Place {
    const found = this.places[place];
    if (found === undefined) throw new Error(`There is no place ${place}`);
    return found;
  }

  private async add(
    from: Omit<Place, 'point' | 'next'>,
    index: Map<string, number>,
    key: string,
  ): Promise<number> {
    const point = await this.run(from);
    const place = this.places.push({ ...from, point, next: new Map() }) - 1;
    index.set(key, place);
    return place;
  }

  /** Runs an operation from its start until it asks what it has not been told yet, or ends. */
  private async run({
    instance,
    operation,
    startedMs,
    heard,
  }: Omit<Place, 'point' | 'next'>): Promise<Point> {
    this.runs++;
    this.clock.nowMs = startedMs;
    return new Promise<Point>((resolve, reject) => {
      let calls = 0;
      const script = async (call: StoreCall): Promise<unknown> => {
        const reply = heard[calls++];
        if (reply === undefined) {
          resolve({ call });
          return new Promise(() => undefined);
        }
        this.clock.nowMs = reply.nowMs;
        if (reply.reply === undefined) throw new Error('connection terminated unexpectedly');
        return reply.reply.value;
      };
      const real = this.instances[instance];
      if (real === undefined) throw new Error(`There is no instance ${instance}`);
      const opened = this.tokens.open(operation);
      void this.script
        .run(script, async () => real.run(opened, this.sessionHandle))
        .then((response) => resolve({ response: this.named(response) }), reject);
    });
  }

  /** Returns a response with the names of its tokens. */
  named(response: OperationResponse): OperationResponse {
    const { accessToken, refreshToken } = response;
    return {
      ...response,
      ...(accessToken === undefined ? {} : { accessToken: this.tokens.access(accessToken) }),
      ...(refreshToken === undefined ? {} : { refreshToken: this.tokens.refresh(refreshToken) }),
    };
  }
}
