import { SystemClock } from '../util/clock.js';
import { allFindings } from './checks/all-checks.js';
import { isSuccess, type RecordedExchange } from './exchange.js';
import { parseApiAddress, parseWebsite, type Facts } from './facts.js';
import { error, type Finding } from './finding.js';
import { createHttpSender, type Sender } from './http-sender.js';
import { probe } from './probe.js';
import { readTokens, sessionCookies } from './session-tokens.js';
import { parseSignIn, signInUrl, type SignInRequest } from './sign-in-request.js';

const DEFAULT_TIMEOUT_MS = 10_000;
/** An hour; a timer of Node takes at most 2^31 ms. */
const MAX_TIMEOUT_MS = 3_600_000;

/**
 * The application that the doctor examines, and how it reaches it.
 *
 * @publicApi
 */
export interface DiagnoseOptions {
  /** Address of the session routes as browsers reach them, base path included: `https://api.example.com/auth`. */
  readonly api: string;
  /** Origin of the website, `https://example.com`. Default: that of the API. */
  readonly website?: string;
  /** A request that signs in, as an object or as text: `POST /login {"name":"Ada"}`. Default: no sign-in. */
  readonly signIn?: string | SignInRequest;
  /** A route that needs a session, asked without one: `GET /me`. Default: none is asked. */
  readonly guarded?: string | Pick<SignInRequest, 'method' | 'path'>;
  /** Sent with every request, for a proxy that demands them. Default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds that each response may take. Default 10,000; at most an hour. */
  readonly timeoutMs?: number;
}

/**
 * The result of an examination. Holds no token, no cookie value and no part of the sign-in's body.
 *
 * @publicApi
 */
export interface Diagnosis {
  /** The examined address, base path included. */
  readonly api: string;
  /** The website's origin. */
  readonly website: string;
  /** False when no response arrived at all; there is one finding then. */
  readonly isReachable: boolean;
  /** In the order in which to fix them. */
  readonly findings: readonly Finding[];
  /** The checks that were skipped, each with its reason. */
  readonly notChecked: readonly string[];
}

/**
 * Examines a running application as a browser would use it, and reports problems with its domains, CORS, cookies and clocks.
 * Sends about ten requests, one after the other. With `signIn` it creates a session, refreshes it and ends it.
 *
 * @throws {TypeError} an option cannot be parsed
 * @publicApi
 */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  const clock = new SystemClock();
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
    throw new TypeError(`the timeout is expected to be above 0 and at most ${MAX_TIMEOUT_MS / 1000} seconds`);
  }
  return runDiagnosis(createHttpSender({ timeoutMs, clock }), options);
}

/** {@link diagnose} with the sender as an argument. */
export async function runDiagnosis(send: Sender, options: DiagnoseOptions): Promise<Diagnosis> {
  const api = parseApiAddress(options.api);
  const website = parseWebsite(options.website ?? api.origin);
  const signIn = typeof options.signIn === 'string' ? parseSignIn(options.signIn) : options.signIn;
  const guarded = typeof options.guarded === 'string' ? parseSignIn(options.guarded) : options.guarded;
  for (const request of [signIn, guarded]) if (request !== undefined) signInUrl(request, api); // fails before the first request
  const exchanges = await probe({ api, website, signIn, guarded, headers: options.headers ?? {} }, send);
  const address = { api: api.origin + api.basePath, website: website.origin };
  const failure = exchanges.emptyRefresh.failure;
  if (failure !== undefined) {
    return { ...address, isReachable: false, findings: [unreachable(address.api, failure)], notChecked: [] };
  }
  const facts: Facts = { api, website, exchanges };
  return {
    ...address,
    isReachable: true,
    findings: allFindings(facts),
    notChecked: listUnchecked(facts, options),
  };
}

function unreachable(api: string, failure: string): Finding {
  return error('address.reachable', `${api} does not respond: ${failure}`, {
    why: 'Nothing can be examined.',
    fix:
      REMEDIES.find(({ codes }) => codes.test(failure))?.fix ??
      'Is the application running, and the address right?',
  });
}

const REMEDIES: readonly { readonly codes: RegExp; readonly fix: string }[] = [
  { codes: /^(ENOTFOUND|EAI_)/, fix: 'The host name cannot be resolved: check its spelling and the DNS.' },
  {
    codes: /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/,
    fix: 'The certificate is not trusted, by browsers perhaps not either. For one of your own set NODE_EXTRA_CA_CERTS.',
  },
  {
    codes: /^(EPROTO|ERR_SSL|HPE_|ECONNRESET)/,
    fix: 'Is it https where it should be http, or the other way round?',
  },
];

function listUnchecked({ exchanges, website, api }: Facts, options: DiagnoseOptions): string[] {
  const { signIn, refresh } = exchanges;
  const lines: string[] = [];
  if (options.website === undefined && website.origin === api.origin) {
    lines.push('CORS and SameSite for another website: give its origin by --website');
  }
  if (options.signIn === undefined) {
    lines.push('the session that a sign-in gives: name one by --sign-in \'POST /login {"name":"Ada"}\'');
  }
  if (hasLostRefreshToken(signIn) && refresh === undefined) {
    lines.push('a refresh: a browser would not send the refresh token that the sign-in gave');
  }
  if (exchanges.cleanUp !== undefined && !isSuccess(exchanges.cleanUp)) {
    lines.push('a sign-out: the session of the sign-in is left to expire');
  }
  for (const exchange of [exchanges.jwks, exchanges.preflight, signIn, refresh, exchanges.signOut]) {
    if (exchange?.failure !== undefined) {
      lines.push(`${exchange.method} ${new URL(exchange.url).pathname}: no response (${exchange.failure})`);
    }
  }
  return lines;
}

function hasLostRefreshToken(signIn: RecordedExchange | undefined): boolean {
  return readTokens(signIn).refreshToken !== undefined && sessionCookies(signIn).length > 0;
}
