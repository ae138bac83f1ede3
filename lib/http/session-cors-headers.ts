import { isExactOrigin } from '../util/hosts.js';

/** The request headers that SuperTokens' browser clients send. */
export const CLIENT_HEADERS = ['rid', 'fdi-version', 'anti-csrf', 'authorization', 'st-auth-mode'] as const;
/** Clients that bind their session to a key send `DPoP` as well (option `deviceBound.dpop`). */
const SESSION_HEADERS = [...CLIENT_HEADERS, 'dpop'] as const;

/**
 * The CORS options that {@link sessionCorsOptions} returns for `app.enableCors`.
 *
 * @publicApi
 */
export interface SessionCorsOptions {
  /** The only origins that are reflected; compared as a whole. */
  origin: string[];
  credentials: true;
  allowedHeaders: string[];
  methods: string[];
}

/**
 * Returns the request headers of browser clients, which CORS has to allow. SuperTokens calls it
 * `getAllCORSHeaders`; `dpop` is ours.
 *
 * @returns a new array, in a fixed order
 * @see docs/protocol/sdk.md §3.10
 * @publicApi
 */
export function sessionCorsHeaders(): string[] {
  return [...SESSION_HEADERS];
}

/**
 * Returns CORS options for sessions, for `app.enableCors(...)` on Express and Fastify. Response headers need no mention: they
 * are exposed as they are written.
 *
 * @param options.origins origins of the websites, `https://shop.example.com` for example: scheme, host and port, nothing more
 * @param options.allowedHeaders further request headers that the application takes; `content-type` is included anyway
 * @throws {TypeError} no origin, a wildcard, `null`, an origin with a path, or a wildcard among the headers
 * @publicApi
 */
export function sessionCorsOptions(options: {
  origins: string[];
  allowedHeaders?: string[];
}): SessionCorsOptions {
  if (options.origins.length === 0)
    throw new TypeError('origins: expected at least one origin, got an empty list');
  options.origins.forEach(assertExactOrigin);
  const headers = ['content-type', ...SESSION_HEADERS, ...(options.allowedHeaders ?? [])];
  if (headers.some((header) => header.includes('*'))) {
    throw new TypeError('allowedHeaders: with credentials "*" is no wildcard; name the headers');
  }
  return {
    origin: [...options.origins],
    credentials: true,
    allowedHeaders: [...new Set(headers.map((header) => header.toLowerCase()))],
    // spelled out because the defaults of the two adapters differ: Fastify's would refuse PUT, PATCH and DELETE
    methods: ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'],
  };
}

function assertExactOrigin(origin: string): void {
  if (isExactOrigin(origin)) return;
  throw new TypeError(
    `origins: ${JSON.stringify(origin)} is not an origin as browsers send it, "https://shop.example.com" or ` +
      '"http://localhost:3000": lower case, no default port, no path, no trailing slash, no wildcard, not "null"',
  );
}
