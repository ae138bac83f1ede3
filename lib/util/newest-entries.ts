/**
 * The newest entries of a map, up to a number. Each call takes the same few steps, however full it is. The order is kept beside the
 * map, because the first key of a `Map` is found only past every place that a removed key has left empty.
 */
export class NewestEntries<V> {
  private readonly entries = new Map<string, V>();
  /** The keys by the time they came, as a ring. */
  private readonly keys: string[] = [];
  private count = 0;

  constructor(private readonly capacity: number) {}

  get(key: string): V | undefined {
    return this.entries.get(key);
  }

  /** Adds an entry in place of the oldest one; one that is there stays as it is. */
  add(key: string, value: V): void {
    if (this.entries.has(key)) return;
    const place = this.count % this.capacity;
    const oldest = this.keys[place];
    if (oldest !== undefined) this.entries.delete(oldest);
    this.keys[place] = key;
    this.count += 1;
    this.entries.set(key, value);
  }
}
