/**
 * A refresh came with two session cookies of one name, and `olderCookieDomain` does not say which of them is the older one.
 * Nobody knows which counts, so nothing was done and no token is cleared: the answer is a 400. It happens after a change of
 * `cookieDomain`, or where a neighbour sets cookies for a common domain.
 *
 * @publicApi
 */
export class DuplicateSessionCookiesError extends Error {
  constructor(options?: ErrorOptions) {
    super(
      'The request carries two session cookies of the same name, as after a change of cookieDomain: ' +
        "set olderCookieDomain to the former cookieDomain ('' if there was none) for as long as old cookies live",
      options,
    );
    this.name = 'DuplicateSessionCookiesError';
  }
}
