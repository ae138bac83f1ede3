import { forTerminals } from './printable.js';

/**
 * What the doctor can say something about. The codes are stable: scripts may rely on them.
 *
 * @publicApi
 */
export const FINDING_CODES = [
  'address.reachable',
  'address.scheme',
  'address.mixed-content',
  'address.local-names',
  'address.redirect',
  'routes.refresh',
  'routes.jwks',
  'routes.discovery',
  'routes.issuer',
  'core.unavailable',
  'cors.preflight',
  'cors.origin',
  'cors.credentials',
  'cors.request-headers',
  'cors.exposed-headers',
  'cors.foreign-origin',
  'cors.vary',
  'cookie.domain',
  'cookie.path',
  'cookie.same-site',
  'cookie.third-party',
  'cookie.secure',
  'cookie.http-only',
  'cookie.partitioned',
  'cookie.prefix',
  'cookie.duplicate',
  'cookie.size',
  'header.size',
  'caching.no-store',
  'clock.server',
  'clock.token',
  'token.lifetime',
  'sign-in.answer',
  'sign-in.tokens',
  'sign-in.refresh',
  'sign-in.sign-out',
] as const;

/**
 * One of {@link FINDING_CODES}.
 *
 * @publicApi
 */
export type FindingCode = (typeof FINDING_CODES)[number];

/**
 * Something that is as it should be.
 *
 * @publicApi
 */
export interface GoodFinding {
  readonly level: 'ok';
  readonly code: FindingCode;
  /** What was seen, one sentence. Holds no token, cookie value or header value that a user gave. */
  readonly seen: string;
}

/**
 * Something to mend. An `error` breaks sessions in some browser or for some attacker's benefit; a `warning` does so under
 * conditions that cannot be seen from outside.
 *
 * @publicApi
 */
export interface Problem {
  readonly level: 'warning' | 'error';
  readonly code: FindingCode;
  /** What was seen. Holds no token, cookie value or header value that a user gave. */
  readonly seen: string;
  readonly why: string;
  readonly mend: string;
}

/**
 * What a check found.
 *
 * @publicApi
 */
export type Finding = GoodFinding | Problem;

/** Why something matters and how to mend it. */
export interface Advice {
  readonly why: string;
  readonly mend: string;
}

export function ok(code: FindingCode, seen: string): GoodFinding {
  return { level: 'ok', code, seen: forTerminals(seen) };
}

export function warning(code: FindingCode, seen: string, advice: Advice): Problem {
  return problem('warning', code, seen, advice);
}

export function error(code: FindingCode, seen: string, advice: Advice): Problem {
  return problem('error', code, seen, advice);
}

function problem(level: Problem['level'], code: FindingCode, seen: string, { why, mend }: Advice): Problem {
  return { level, code, seen: forTerminals(seen), why, mend: forTerminals(mend) };
}

/** One finding from several places: `good` where no place has a problem, else all problems under one advice. */
export function verdict(
  code: FindingCode,
  problems: readonly string[],
  good: string,
  advice: Advice,
  level: Problem['level'] = 'error',
): Finding {
  if (problems.length === 0) return ok(code, good);
  return problem(level, code, [...new Set(problems)].join('; '), advice);
}
