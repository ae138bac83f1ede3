import { SingleFlight } from '../../util/single-flight.js';
import { withTimeout } from '../../util/with-timeout.js';
import type { KeyVault } from './key-vault.js';

/** The longest wait for a KMS that seals a new key, where there are other keys to go on with. */
const PATIENCE_MS = 1000;

/**
 * Makes keys that may have to wait for a KMS. The keys that are there are read and used meanwhile, so that a KMS that is away keeps
 * no token from being verified and, until a rotating key is over, none from being signed.
 */
export class BackgroundAdditions {
  private readonly flights = new Map<string, SingleFlight<unknown>>();
  private readonly failures = new Map<string, unknown>();

  constructor(private readonly vault: Pick<KeyVault, 'mayWait'>) {}

  /** The reason why the last addition of that name failed; undefined for none. */
  failure(name: string): unknown {
    return this.failures.get(name);
  }

  /**
   * Makes a key, or joins the call that does.
   *
   * @param isPatient whether the result may come later than a second, and a failure count as none
   * @returns undefined for an addition that failed, or goes on in the background
   */
  async run<T>(name: string, isPatient: boolean, add: () => Promise<T>): Promise<T | undefined> {
    if (!this.vault.mayWait) return add();
    const running = this.flights.get(name);
    if (running?.isRunning === true && isPatient) return undefined;
    const work = running?.isRunning === true ? (running as SingleFlight<T>) : this.begin(name, add);
    try {
      const result = work.run();
      return await (isPatient
        ? withTimeout(result, PATIENCE_MS, `No key within ${PATIENCE_MS} ms`, { keepsProcess: false })
        : result);
    } catch (error) {
      if (!this.failures.has(name)) this.failures.set(name, error);
      return undefined;
    }
  }

  private begin<T>(name: string, add: () => Promise<T>): SingleFlight<T> {
    this.failures.delete(name);
    const flight = new SingleFlight(async () => {
      try {
        const result = await add();
        this.failures.delete(name);
        return result;
      } catch (error) {
        this.failures.set(name, error);
        throw error;
      }
    });
    this.flights.set(name, flight);
    return flight;
  }
}
