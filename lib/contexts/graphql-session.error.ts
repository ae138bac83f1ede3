import type { ToldError } from './told-error.js';

/**
 * A session error as it goes into a GraphQL answer. No package of GraphQL is needed for it: `graphql-js` takes over
 * the `extensions` of what a resolver throws, Apollo reads the status in them, Mercurius reads `statusCode`.
 */
export class GraphqlSessionError extends Error {
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly statusCode: number;

  constructor({ code, message, status, details }: ToldError, cause: Error) {
    super(message, { cause });
    this.name = 'GraphqlSessionError';
    this.statusCode = status;
    this.extensions = { ...details, code, http: { status } };
  }
}
