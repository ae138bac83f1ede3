/**
 * Whether a request that a browser may have sent on behalf of another site may use the session's cookies. Methods that
 * change nothing pass; so does a client that sends neither header, because it is no browser of today.
 *
 * @param allowedOrigins exact origins; undefined: not checked
 * @see docs/security-requirements.md S070
 */
export function isAllowedOrigin(
  allowedOrigins: readonly string[] | undefined,
  request: {
    readonly method: string;
    readonly origin: string | undefined;
    readonly secFetchSite: string | undefined;
  },
): boolean {
  if (allowedOrigins === undefined || SAFE_METHODS.includes(request.method)) return true;
  if (request.origin !== undefined) return allowedOrigins.includes(request.origin);
  return request.secFetchSite === undefined || OWN_SITES.includes(request.secFetchSite);
}

const SAFE_METHODS: readonly string[] = ['get', 'head', 'options', 'trace'];
/** `none` is the user himself: an address typed, a bookmark. `same-site` is a neighbour, which a list of origins excludes. */
const OWN_SITES: readonly string[] = ['same-origin', 'none'];
