import type { SchemaSettings, StandardSchema } from '../options/schema-options.js';
import { PROTECTED_CLAIM_NAMES } from '../tokens/access-token-claims.js';
import {
  changeBetween,
  isJsonObject,
  mergeTopLevel,
  toJsonObject,
  type JsonObject,
  type JsonValue,
} from '../util/json.js';
import { recogniseCopies } from '../util/copies.js';

type Kind = 'accessTokenPayload' | 'sessionDataInDatabase';
type ReadStored = () => Promise<JsonObject | undefined>;

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
      `The ${content} does not fit schemas.${content}, at: ${[...new Set(places)].join(', ')}. It was not stored.`,
    );
    this.name = 'SessionSchemaError';
  }
}

/**
 * Checks what the application keeps in sessions by the schemas of the option `schemas`. Transforms and defaults of a schema count: what it
 * returns is stored. Without the option every value passes.
 */
export class ContentSchemas {
  private readonly reserved: ReadonlySet<string>;
  private readonly hidden: ReadonlySet<string>;

  /** @param limitNames names of the payload that belong to the session's limits: an application cannot write them */
  constructor(
    private readonly settings: SchemaSettings | undefined,
    limitNames: readonly string[],
    claims: readonly { readonly key: string }[],
  ) {
    this.reserved = new Set([...PROTECTED_CLAIM_NAMES, ...limitNames]);
    this.hidden = new Set([...this.reserved, ...claims.map(({ key }) => key), 'iss']);
  }

  /**
   * Returns the content of a new session, or one that replaces all of it, as the schema returns it.
   *
   * @throws {SessionSchemaError} it does not fit
   */
  async whole(kind: Kind, given: object): Promise<object> {
    const schema = this.settings?.[kind];
    return schema === undefined ? given : this.parse(schema, kind, toJsonObject(given, kind));
  }

  /** As {@link update}, for the access token payload. */
  async payloadUpdate(given: object, readStored: ReadStored): Promise<object> {
    return this.update('accessTokenPayload', given, readStored);
  }

  /**
   * Returns the update that makes stored content what the schema returns for it with the given update. Names that the schema
   * leaves out are not written, and stored ones stay.
   *
   * @param readStored undefined for a session that does not exist
   * @throws {SessionSchemaError} the content would not fit with the update
   */
  async update(kind: Kind, given: object, readStored: ReadStored): Promise<object> {
    const schema = this.settings?.[kind];
    if (schema === undefined) return given;
    const [update, refused] = this.split(kind, toJsonObject(given, kind));
    const stored = await readStored();
    if (stored === undefined) return given; // the write finds that, too
    const before = kind === 'accessTokenPayload' ? this.ofApplication(stored) : stored;
    const wanted = await this.parse(schema, kind, mergeTopLevel(before, update));
    const { set } = changeBetween(before, wanted, Object.keys(update));
    const removed = Object.keys(update).filter(
      (name) => update[name] === null && !Object.hasOwn(wanted, name),
    );
    return { ...set, ...Object.fromEntries(removed.map((name) => [name, null])), ...refused };
  }

  /** Names of the session are left to the check that refuses them. */
  private split(kind: Kind, update: JsonObject): [JsonObject, JsonObject] {
    const isReserved = (name: string): boolean => kind === 'accessTokenPayload' && this.reserved.has(name);
    const entries = Object.entries(update);
    return [
      Object.fromEntries(entries.filter(([name]) => !isReserved(name))),
      Object.fromEntries(entries.filter(([name]) => isReserved(name))),
    ];
  }

  /** Claims that are no option are recognised by their form: a value and the time at which it was fetched. */
  private ofApplication(payload: JsonObject): JsonObject {
    return Object.fromEntries(
      Object.entries(payload).filter(([name, value]) => !this.hidden.has(name) && !isClaimValue(value)),
    );
  }

  private async parse(schema: StandardSchema, kind: Kind, content: JsonObject): Promise<JsonObject> {
    const result = await schema['~standard'].validate(content);
    if (result.issues === undefined)
      return toJsonObject(result.value as object, `what schemas.${kind} returns`);
    const issues = result.issues.map(({ path = [], message }) => ({
      path: path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
      ...(this.settings?.showMessages === true ? { message } : {}),
    }));
    throw new SessionSchemaError(kind, issues);
  }
}

function isClaimValue(value: JsonValue): boolean {
  return isJsonObject(value) && Object.keys(value).sort().join() === 't,v' && typeof value['t'] === 'number';
}
