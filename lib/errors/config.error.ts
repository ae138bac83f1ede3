/**
 * One thing that is wrong with the options.
 *
 * @publicApi
 */
export interface ConfigProblem {
  /** Where in the options, `appInfo.apiDomain` for example. */
  readonly path: string;
  /** What was seen, what is accepted, what to do. */
  readonly message: string;
}

/**
 * The options of `SessionModule` or `SessionCoreModule` cannot work. Thrown when the application starts; lists every
 * problem at once.
 *
 * @publicApi
 */
export class SessionConfigError extends Error {
  constructor(
    readonly problems: readonly ConfigProblem[],
    moduleName: 'SessionModule' | 'SessionCoreModule' = 'SessionModule',
  ) {
    super(
      `${moduleName} cannot start, ${problems.length === 1 ? 'one option is' : `${problems.length} options are`} wrong:\n` +
        problems.map((problem) => `  - ${problem.path}: ${problem.message}`).join('\n'),
    );
    this.name = 'SessionConfigError';
  }
}
