import { recogniseCopies } from '../util/copies.js';

/** A place of the content that does not fit. */
export interface SchemaIssue {
  /** Names from the outside in, `seats.limit` for example; empty for the content as a whole. */
  readonly path: string;
  /** The message of the schema, with the option `schemas.showMessages`. */
  readonly message?: string;
}

/**
 * The application gave an access token payload or session data that does not fit its schema, so that neither was written. The error never has
 * the values, and the messages of the schema only with the option `schemas.showMessages`.
 *
 * @publicApi
 */
export class SessionSchemaError extends TypeError {
  static {
    recogniseCopies(this, 'SessionSchemaError');
  }

  constructor(
    readonly content: 'accessTokenPayload' | 'sessionDataInDatabase',
    readonly issues: readonly SchemaIssue[],
  ) {
    const places = issues.map(({ path, message }) => {
      const place = path === '' ? 'the object as a whole' : path;
      return message === undefined ? place : `${place} (${message})`;
    });
    super(
      `The ${content} does not fit schemas.${content}, at: ${[...new Set(places)].join(', ')}. Nothing was stored.`,
    );
    this.name = 'SessionSchemaError';
  }
}
