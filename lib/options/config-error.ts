import { recogniseCopies } from '../util/copies.js';

/**
 * One problem in the options.
 *
 * @publicApi
 */
export interface ConfigProblem {
  /** The path of the option, `appInfo.apiDomain` for example. */
  readonly path: string;
  /** The value that was found, the values that are accepted, the remedy. */
  readonly message: string;
}

/**
 * The options of `SessionModule`, `SessionCoreModule` or `createSessions` cannot work. Thrown when the application starts; lists every
 * problem at once.
 *
 * @publicApi
 */
export class SessionConfigError extends Error {
  static {
    recogniseCopies(this, 'SessionConfigError');
  }

  constructor(
    readonly problems: readonly ConfigProblem[],
    moduleName = 'SessionModule',
  ) {
    super(
      `${moduleName} cannot start, ${problems.length === 1 ? 'one option is' : `${problems.length} options are`} wrong:\n` +
        problems.map((problem) => `  - ${problem.path}: ${problem.message}`).join('\n'),
    );
    this.name = 'SessionConfigError';
  }
}
