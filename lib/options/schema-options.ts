import { trueOrFalse } from './option-checks.js';
import { option, type Check, type OptionsOf, type Resolved } from './option-table.js';

/**
 * A schema of zod, valibot, arktype or another library that implements Standard Schema, version 1.
 *
 * @see https://standardschema.dev
 * @publicApi
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
    ) => StandardSchemaResult<Output> | Promise<StandardSchemaResult<Output>>;
  };
}

/**
 * The result of a {@link StandardSchema}: a value, or what is wrong.
 *
 * @publicApi
 */
export type StandardSchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

const schema: Check<StandardSchema> = (value) => {
  const isHolder = (typeof value === 'object' && value !== null) || typeof value === 'function';
  const standard: unknown = isHolder ? Reflect.get(value, '~standard') : undefined;
  const { version, validate } = (standard ?? {}) as Partial<StandardSchema['~standard']>;
  if (version === 1 && typeof validate === 'function') return value as StandardSchema;
  throw new Error(
    'a Standard Schema is expected, z.object({ … }) of zod for example (zod 3.24, valibot 1, arktype 2 or newer)',
  );
};

/** The options in `schemas`. */
export const SCHEMA_OPTIONS = {
  /**
   * The schema of what the application puts into the access token payload; claims and the names of the session are not shown to it. Checked
   * when a session is created and when the payload is merged, never when a session is verified.
   * @defaultValue none: each JSON object is accepted
   */
  accessTokenPayload: option(schema),
  /**
   * The schema of the session data on the server. Checked when a session is created, and when its data are replaced or merged.
   * @defaultValue none: each JSON object is accepted
   */
  sessionDataInDatabase: option(schema),
  /**
   * Whether a `SessionSchemaError` has the messages of the schema. Many libraries write the value into them, which then reaches logs.
   * @defaultValue false: the error names the places alone
   */
  showMessages: option(trueOrFalse, false),
};

/**
 * Schemas of what the application keeps in sessions.
 *
 * @publicApi
 */
export interface SessionSchemas extends OptionsOf<typeof SCHEMA_OPTIONS> {}

export type SchemaSettings = Resolved<typeof SCHEMA_OPTIONS>;
