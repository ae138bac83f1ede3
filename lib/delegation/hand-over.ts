import { createHash, randomBytes } from 'node:crypto';
import type { SharedValues } from '../audit/shared-values.js';
import { CoreBadInputError, UnauthorisedError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { parseJsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import type { HandOverKind, ParentSession } from './delegations.js';

/**
 * A token by which another client goes on with a session.
 *
 * @publicApi
 */
export interface HandOverInput {
  /** The session that goes on elsewhere. */
  sessionHandle: string;
  /** The client that the token is for, as the application names it: 1 to 256 characters. It is redeemed with the same text. */
  audience: string;
  /** `child`: the new session ends with this one. `sibling`: each ends by itself, and both with their sign-in at a provider. Default `child`. */
  as?: HandOverKind;
}

/**
 * A token that a client presents.
 *
 * @publicApi
 */
export interface RedemptionInput {
  /** The text that the client sent. */
  token: string;
  /** The client that the application takes this one for. */
  audience: string;
}

/** The reason for which a known token is refused. */
export type HandOverRefusal = 'replayed' | 'wrong-audience' | 'session-ended';

/** The session that a token came from. */
export type HandOverSubject = Pick<ParentSession, 'sessionHandle' | 'userId' | 'recipeUserId' | 'tenantId'>;

/** A token that was found, and can be used once. */
export interface FoundHandOver {
  readonly subject: HandOverSubject;
  readonly as: HandOverKind;
  /** Uses it up. @returns false if another call was faster */
  use(): Promise<boolean>;
}

const TOKEN_BYTES = 32;
const TOKEN = /^ho1_[\w-]{43}$/;
const VALID_MS = 60_000;
/** How long a used token is known, so that its return is noted. */
const KNOWN_MS = 3_600_000;

/** Hand-over tokens: each is used once, within a minute, by the client that it is for. The store has a hash of it. */
export class HandOvers {
  constructor(
    private readonly core: { readonly sharedValues: SharedValues | undefined },
    private readonly clock: Clock,
    private readonly onRefused: (
      subject: HandOverSubject,
      reason: HandOverRefusal,
      userContext: UserContext,
    ) => void,
  ) {}

  /** @throws {CoreBadInputError} the core has no place where all instances see that a token was used */
  async issue(parent: ParentSession, audience: string, as: HandOverKind): Promise<string> {
    const { sessionHandle, userId, recipeUserId, tenantId } = parent;
    const token = `ho1_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    const now = this.clock.now();
    const untilMs = now + VALID_MS;
    const text = JSON.stringify({ sessionHandle, userId, recipeUserId, tenantId, audience, as, untilMs });
    await this.values.replace(nameOf(token), undefined, { text, untilMs }, now);
    return token;
  }

  /** Finds a token. @throws {UnauthorisedError} it cannot be used here */
  async find({ token, audience }: RedemptionInput, userContext: UserContext): Promise<FoundHandOver> {
    const { values } = this;
    const now = this.clock.now();
    const text = TOKEN.test(token) ? await values.read(nameOf(token), now) : undefined;
    const stored = readStored(text);
    if (text === undefined || stored === undefined) throw refusal();
    const { subject, as } = stored;
    if (stored.isUsed) throw this.refuse(subject, 'replayed', userContext);
    if (stored.untilMs <= now) throw refusal();
    const use = async (): Promise<boolean> => {
      const used = JSON.stringify({ ...parseJsonObject(text), isUsed: true });
      return values.replace(nameOf(token), text, { text: used, untilMs: now + KNOWN_MS }, this.clock.now());
    };
    if (stored.audience === audience) return { subject, as, use };
    await use(); // somebody else has it
    throw this.refuse(subject, 'wrong-audience', userContext);
  }

  /** Notes that a known token was refused. @returns the error for its caller, which names no reason */
  refuse(subject: HandOverSubject, reason: HandOverRefusal, userContext: UserContext): UnauthorisedError {
    this.onRefused(subject, reason, userContext);
    return refusal();
  }

  private get values(): SharedValues {
    const { sharedValues } = this.core;
    if (sharedValues !== undefined) return sharedValues;
    throw new CoreBadInputError(
      'Hand-over tokens need a place where all instances see that one was used: a SuperTokens Core has none, nor a store without ' +
        'sharedValues. Use embeddedCore with memoryStore, sqliteStore, postgresStore or redisStore',
    );
  }
}

function refusal(): UnauthorisedError {
  return new UnauthorisedError('The hand-over token is unknown, used, expired or for another client', {
    clearTokens: false,
  });
}

function nameOf(token: string): string {
  return `hand-over.${createHash('sha256').update(token).digest('base64url')}`;
}

interface StoredHandOver {
  readonly subject: HandOverSubject;
  readonly as: HandOverKind;
  readonly audience: unknown;
  readonly untilMs: number;
  readonly isUsed: boolean;
}

function readStored(text: string | undefined): StoredHandOver | undefined {
  const { as, audience, untilMs, isUsed, ...rest } = parseJsonObject(text ?? '') ?? {};
  const { sessionHandle, userId, recipeUserId, tenantId } = rest;
  if (typeof sessionHandle !== 'string' || typeof userId !== 'string') return undefined;
  if (typeof recipeUserId !== 'string' || typeof tenantId !== 'string') return undefined;
  return {
    subject: { sessionHandle, userId, recipeUserId, tenantId },
    as: as === 'sibling' ? as : 'child',
    audience,
    untilMs: Number(untilMs),
    isUsed: isUsed === true,
  };
}
