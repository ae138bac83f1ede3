import type { SessionPosition } from './store-inputs.js';

/** Half of it is the usual fill: small enough that an insertion in the middle moves little. */
const LARGEST_CHUNK = 1024;

/** Neighbours in the order of creation. Two lists, because an object for each session would take twice the memory. */
interface Chunk {
  readonly times: number[];
  readonly handles: string[];
}

/** The sessions of one tenant in the order of their creation, for a store that keeps them in memory. */
class TenantIndex {
  private readonly chunks: Chunk[] = [];

  get isEmpty(): boolean {
    return this.chunks.length === 0;
  }

  add(timeMs: number, handle: string): void {
    const place = Math.max(this.chunkBefore(timeMs, handle), 0);
    const chunk = this.chunks[place] ?? { times: [], handles: [] };
    const position = positionIn(chunk, timeMs, handle);
    chunk.times.splice(position, 0, timeMs);
    chunk.handles.splice(position, 0, handle);
    if (this.chunks.length === 0) this.chunks.push(chunk);
    if (chunk.times.length > LARGEST_CHUNK) this.split(chunk, place, position);
  }

  remove(timeMs: number, handle: string): void {
    const place = this.chunkBefore(timeMs, handle);
    const chunk = this.chunks[place];
    if (chunk === undefined) return;
    const position = positionIn(chunk, timeMs, handle);
    if (chunk.handles[position] !== handle) return;
    chunk.times.splice(position, 1);
    chunk.handles.splice(position, 1);
    if (chunk.times.length === 0) this.chunks.splice(place, 1);
  }

  /** Goes from a place, or from the newest session, to the oldest. The index must not change meanwhile. */
  *before(after: readonly [timeMs: number, handle: string] | undefined): Generator<[number, string], void> {
    let place = after === undefined ? this.chunks.length - 1 : this.chunkBefore(...after);
    let chunk = this.chunks[place];
    let position = chunk && after ? positionIn(chunk, ...after) : (chunk?.times.length ?? 0);
    while (chunk !== undefined) {
      for (position--; position >= 0; position--)
        yield [chunk.times[position] ?? 0, chunk.handles[position] ?? ''];
      chunk = this.chunks[--place];
      position = chunk?.times.length ?? 0;
    }
  }

  /** Most sessions are added at the end, so a full chunk there stays full and a new one begins. */
  private split({ times, handles }: Chunk, place: number, added: number): void {
    const from = added === LARGEST_CHUNK ? LARGEST_CHUNK : LARGEST_CHUNK / 2;
    this.chunks.splice(place + 1, 0, { times: times.splice(from), handles: handles.splice(from) });
  }

  /** Returns the place of the last chunk that begins at or before a session, or -1. */
  private chunkBefore(timeMs: number, handle: string): number {
    let [low, high] = [0, this.chunks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { times, handles } = this.chunks[middle] as Chunk;
      if (isEarlier(timeMs, handle, times[0], handles[0])) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }
}

/** All sessions in the order of their creation, tenant by tenant. */
export class CreationIndex {
  private readonly tenants = new Map<string, TenantIndex>();

  add({ tenantId, createdAtMs, sessionHandle }: SessionPosition): void {
    let index = this.tenants.get(tenantId);
    if (index === undefined) this.tenants.set(tenantId, (index = new TenantIndex()));
    index.add(createdAtMs, sessionHandle);
  }

  remove({ tenantId, createdAtMs, sessionHandle }: SessionPosition): void {
    const index = this.tenants.get(tenantId);
    index?.remove(createdAtMs, sessionHandle);
    if (index?.isEmpty === true) this.tenants.delete(tenantId);
  }

  /** Goes from a place, or from the newest session, to the oldest. The index must not change meanwhile. */
  *handlesBefore(after: SessionPosition | undefined, tenantId: string | undefined): Generator<string, void> {
    const place = after && ([after.createdAtMs, after.sessionHandle] as const);
    const indexes = tenantId === undefined ? [...this.tenants.values()] : [this.tenants.get(tenantId)];
    const heads = indexes
      .map((index) => index?.before(place))
      .filter((walk) => walk !== undefined)
      .map((walk) => ({ walk, next: walk.next() }));
    for (;;) {
      let newest: { timeMs: number; handle: string; head: (typeof heads)[number] } | undefined;
      for (const head of heads) {
        if (head.next.done === true) continue;
        const [timeMs, handle] = head.next.value;
        if (newest === undefined || isEarlier(newest.timeMs, newest.handle, timeMs, handle))
          newest = { timeMs, handle, head };
      }
      if (newest === undefined) return;
      newest.head.next = newest.head.walk.next();
      yield newest.handle;
    }
  }
}

function isEarlier(
  timeMs: number,
  handle: string,
  otherMs: number | undefined = 0,
  otherHandle: string | undefined = '',
): boolean {
  return timeMs === otherMs ? handle < otherHandle : timeMs < otherMs;
}

/** Returns the number of sessions in a chunk that come before one. */
function positionIn({ times, handles }: Chunk, timeMs: number, handle: string): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isEarlier(times[middle] ?? 0, handles[middle] ?? '', timeMs, handle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
