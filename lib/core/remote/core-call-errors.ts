import { recogniseCopies } from '../../util/copies.js';
import { CoreBadInputError, CoreResponseError, CoreUnavailableError, CoreError } from '../../errors.js';
import { withPlainCause } from '../../util/plain-error.js';
import type { CdiRequest } from './cdi-requests.js';
import type { CoreHost } from './host-pool.js';
import type { HttpResponse } from './http-transport.js';

const MAX_SHOWN_TEXT = 200;
/** Begins the core's text about a tenant or app that it does not have. */
const UNKNOWN_TENANT = 'AppId or tenantId not found';
/** Begins the core's text about a version that it does not speak. */
const VERSION_REFUSED = 'cdi-version';

/** Returns the error of one attempt, which is the `cause` of the call's error. */
export function attemptError(
  { method, path }: CdiRequest,
  host: CoreHost,
  reason: string,
  { status, cause }: { status?: number; cause?: Error } = {},
): CoreAttemptError {
  return new CoreAttemptError({ method, path, host: host.origin, status }, reason, cause && { cause });
}

/** Returns the error of a call without a response: each attempt in the message, the last one as the cause. */
export function unavailable(
  { method, path }: CdiRequest,
  failures: readonly CoreAttemptError[],
  remark = '',
): CoreUnavailableError {
  const attempts = failures.map(({ host, reason }) => `${host}: ${reason}`).join('; ');
  // Begins with the text of supertokens-node, which applications and alerts look for.
  const message = `No SuperTokens core available to query: ${method} ${path}: ${attempts || remark}`;
  return new CoreUnavailableError(message, { cause: failures.at(-1) });
}

/** Returns the error of a response that cannot be parsed. */
export function badResponse(failure: CoreAttemptError): CoreResponseError {
  return new CoreResponseError(`The core gave no sensible response to ${failure.message}`, {
    cause: failure,
  });
}

/**
 * Returns the error of a response whose status is not 200.
 *
 * @param secrets texts that must not appear in the message, even if the response repeats them
 */
export function errorOfStatus(
  request: CdiRequest,
  host: CoreHost,
  { status, body }: HttpResponse,
  secrets: readonly (string | undefined)[],
): CoreError {
  if (status === 400) {
    const text = shownText(body, [...secrets, ...(request.secrets ?? [])]);
    const failure = attemptError(request, host, `status 400, ${text}`, { status });
    return new CoreBadInputError(`The core refused ${request.method} ${request.path}: ${text}`, {
      cause: failure,
    });
  }
  return badResponse(attemptError(request, host, describeStatus(status), { status }));
}

/** True for the refusal of a call whose tenant, or whose session's tenant, the core does not have. */
function isUnknownTenant(error: unknown): boolean {
  return isRefusal(UNKNOWN_TENANT, error);
}

/** Waits for all calls. @throws what the first failed one throws, whose `endedHandles` then names what the others returned */
export async function handlesOfAll(calls: readonly Promise<string[]>[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(calls);
  const ended = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return ended;
  if (failed.reason instanceof CoreError && ended.length > 0) failed.reason.endedHandles = ended;
  throw failed.reason;
}

/** Returns `unknown` for a handle whose tenant the core does not have, because no session has that handle. */
export async function orUnknown<T>(sessionHandle: string, unknown: T, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isUnknownTenant(error) && sessionHandle.includes('_')) return unknown;
    throw error;
  }
}

/** True for the response of a core that does not serve a path, such as that of a call of ours beside the CDI. */
export function isUnknownPath(error: unknown): boolean {
  return (
    error instanceof CoreResponseError &&
    error.cause instanceof CoreAttemptError &&
    error.cause.status === 404
  );
}

/** True for the refusal of a call because of its CDI version. */
export function isVersionRefused(error: unknown): boolean {
  return isRefusal(VERSION_REFUSED, error);
}

/** True if the core refuses the version because it takes only newer ones. */
export function isVersionTooOld(error: unknown): boolean {
  return isVersionRefused(error) && String(error).includes('lower than the minimum');
}

function isRefusal(textStart: string, error: unknown): boolean {
  return (
    error instanceof CoreBadInputError &&
    error.cause instanceof CoreAttemptError &&
    error.cause.reason.startsWith(`status 400, ${textStart}`)
  );
}

function describeStatus(status: number): string {
  if (status >= 300 && status < 400) return `status ${status}; redirects are not followed`;
  if (status === 401) return 'status 401; is the option apiKey one of the api_keys of the core?';
  return `status ${status}`;
}

/** One short line of printable text without anything secret. */
function shownText(body: string, secrets: readonly (string | undefined)[]): string {
  const known = secrets.filter((secret) => secret !== undefined && secret !== '') as string[];
  const harmless = known.reduce((text, secret) => text.replaceAll(secret, '…'), body);
  return harmless
    .replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, ' ')
    .trim()
    .slice(0, MAX_SHOWN_TEXT);
}

/** The public facts of an attempt; no secret is part of them. */
export interface CoreAttempt {
  readonly method: string;
  /** Scheme, name and port of the called host. */
  readonly host: string;
  /** Path of the call, without the host's base path and without the query. */
  readonly path: string;
  /** HTTP status, if the host sent one. */
  readonly status?: number | undefined;
}

/**
 * One attempt at a call to the core that did not work: the `cause` of the `CoreError` that the application sees. Carries
 * no key, token or body.
 *
 * @publicApi
 */
export class CoreAttemptError extends Error {
  static {
    recogniseCopies(this, 'CoreAttemptError');
  }

  readonly method: string;
  /** Scheme, name and port of the called host. */
  readonly host: string;
  /** Path of the call, without the host's base path and without the query. */
  readonly path: string;
  /** HTTP status; undefined if no response came. */
  readonly status: number | undefined;

  constructor(
    attempt: CoreAttempt,
    /** The reason of the failure, without the address. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${attempt.method} ${attempt.path} at ${attempt.host}: ${reason}`, withPlainCause(options));
    this.name = new.target.name;
    this.method = attempt.method;
    this.host = attempt.host;
    this.path = attempt.path;
    this.status = attempt.status;
  }
}
