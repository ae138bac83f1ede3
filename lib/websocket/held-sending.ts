/** The members of a connection that put messages on their way. */
type Sender<Name extends string> = Record<Name, (...input: never[]) => unknown>;

/**
 * Keeps messages of the application from a connection: until it is admitted they wait, after its session has ended they are
 * dropped.
 */
export class HeldSending<Name extends string> {
  private waiting: unknown[][] | undefined;
  private original: ((...input: unknown[]) => unknown) | undefined;
  private isOver = false;

  /** @param method the method through which every message goes */
  constructor(
    private readonly connection: Sender<Name>,
    private readonly method: Name,
  ) {}

  get isHeld(): boolean {
    return this.original !== undefined;
  }

  hold(): void {
    if (this.isHeld) return;
    this.waiting = [];
    this.original = this.connection[this.method] as (...input: unknown[]) => unknown;
    this.replace((...input) => {
      if (!this.isOver) return void this.waiting?.push(input);
      const done = input.at(-1);
      if (typeof done === 'function') (done as () => void)(); // a sender may wait for it
    });
  }

  /** Sends what waits. */
  release(): void {
    const { original, waiting = [] } = this;
    if (original === undefined || this.isOver) return;
    this.original = this.waiting = undefined;
    this.replace(original);
    for (const input of waiting) original.apply(this.connection, input);
  }

  /** Drops what waits, and everything later. */
  end(): void {
    this.hold();
    this.isOver = true;
    this.waiting = undefined;
  }

  /** Lets the library's own messages through. */
  bypass(send: () => unknown): void {
    const { original } = this;
    if (original === undefined) return void send();
    const held = this.connection[this.method] as (...input: unknown[]) => unknown;
    this.replace(original);
    try {
      send();
    } finally {
      this.replace(held);
    }
  }

  private replace(method: (...input: unknown[]) => unknown): void {
    Reflect.set(this.connection, this.method, method);
  }
}
