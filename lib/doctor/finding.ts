import { cleanText } from './printable.js';

/**
 * The codes of all findings. They are stable: scripts may rely on them.
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
  'routes.mount',
  'routes.guarded',
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
  'cookie.older',
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
  'device.certificate',
  'device.offer',
  'device.routes',
  'device.attributes',
  'device.origin',
] as const;

/**
 * One of {@link FINDING_CODES}.
 *
 * @publicApi
 */
export type FindingCode = (typeof FINDING_CODES)[number];

/**
 * A check that passed.
 *
 * @publicApi
 */
export interface GoodFinding {
  readonly level: 'ok';
  readonly code: FindingCode;
  /** One sentence on what was seen. Holds no token, cookie value or header value that a user gave. */
  readonly seen: string;
}

/**
 * A problem. An `error` breaks sessions in some browser or for some attacker's benefit; a `warning` does so under
 * conditions that cannot be seen from outside.
 *
 * @publicApi
 */
export interface Problem {
  readonly level: 'warning' | 'error';
  readonly code: FindingCode;
  /** One sentence on what was seen. Holds no token, cookie value or header value that a user gave. */
  readonly seen: string;
  /** The consequence for users. */
  readonly why: string;
  /** How to fix it. */
  readonly fix: string;
}

/**
 * The result of a check.
 *
 * @publicApi
 */
export type Finding = GoodFinding | Problem;

/** The consequence of a problem, and how to fix it. */
export interface Advice {
  readonly why: string;
  readonly fix: string;
}

/** A check that passed. */
export function ok(code: FindingCode, seen: string): GoodFinding {
  return { level: 'ok', code, seen: cleanText(seen) };
}

/** A problem that may break sessions. */
export function warning(code: FindingCode, seen: string, advice: Advice): Problem {
  return problem('warning', code, seen, advice);
}

/** A problem that breaks sessions. */
export function error(code: FindingCode, seen: string, advice: Advice): Problem {
  return problem('error', code, seen, advice);
}

function problem(level: Problem['level'], code: FindingCode, seen: string, { why, fix }: Advice): Problem {
  return { level, code, seen: cleanText(seen), why, fix: cleanText(fix) };
}

/** Combines the problems of one code into one finding; without problems the finding is `good`. */
export function combineFindings(
  code: FindingCode,
  problems: readonly string[],
  good: string,
  advice: Advice,
  level: Problem['level'] = 'error',
): Finding {
  if (problems.length === 0) return ok(code, good);
  return problem(level, code, [...new Set(problems)].join('; '), advice);
}
