import { CoreUnavailableError } from '../../errors.js';

/**
 * Stands between an engine and its store: once it is closed nobody gets in, because a store that is asked for something
 * opens itself again; and it knows when everybody is out.
 */
export class StoreGate {
  private isOpen = true;
  private inside = 0;
  private whenEmpty: (() => void)[] = [];

  /** @throws {CoreUnavailableError} the gate is closed */
  async pass<T>(call: () => Promise<T>): Promise<T> {
    if (!this.isOpen) throw new CoreUnavailableError('The core was closed');
    this.inside += 1;
    try {
      return await call();
    } finally {
      this.inside -= 1;
      if (this.inside === 0) for (const tell of this.whenEmpty.splice(0)) tell();
    }
  }

  open(): void {
    this.isOpen = true;
  }

  /** Closes at once. @returns when the calls under way have ended */
  async close(): Promise<void> {
    this.isOpen = false;
    if (this.inside > 0) await new Promise<void>((resolve) => this.whenEmpty.push(resolve));
  }
}
