/**
 * A request that signs a user in.
 *
 * @publicApi
 */
export interface SignInRequest {
  /** `POST` for example. */
  readonly method: string;
  /** From the root of the API's host, `/login` for example. */
  readonly path: string;
  /** Sent unchanged; default none. */
  readonly body?: string;
  /** Default: `application/json` when the body begins with `{` or `[`, else that of a form. */
  readonly contentType?: string;
}

const LINE = /^(?<method>[A-Za-z]+)\s+(?<path>\/\S*)(?:\s+(?<body>[\s\S]+))?$/;

/**
 * Parses `POST /login {"name":"Ada"}`: method, path, and a body that is JSON or a form.
 *
 * @throws {TypeError} another format; the message does not repeat the text, because it may hold a password
 */
export function parseSignIn(text: string): SignInRequest {
  const { method, path, body } = LINE.exec(text.trim())?.groups ?? {};
  if (method === undefined || path === undefined) {
    throw new TypeError('the sign-in is expected as method, path and body: POST /login {"name":"Ada"}');
  }
  if (body === undefined) return { method: method.toUpperCase(), path };
  if (!isJsonText(body)) return { method: method.toUpperCase(), path, body };
  assertJson(body);
  return { method: method.toUpperCase(), path, body };
}

/**
 * The address of the sign-in. It must be on the API's host, because the request holds a password.
 *
 * @throws {TypeError} the path names another host, as `//login` does
 */
export function signInUrl({ path }: SignInRequest, api: { readonly origin: string }): string {
  const url = path.startsWith('/') && URL.canParse(path, api.origin) ? new URL(path, api.origin) : undefined;
  if (url?.origin === api.origin) return url.href;
  throw new TypeError(
    "the path of the sign-in is expected from the root of the API's host, /login for example",
  );
}

/** The content type of the body, from its first character. */
export function signInContentType({ body, contentType }: SignInRequest): string | undefined {
  if (contentType !== undefined || body === undefined) return contentType;
  return isJsonText(body) ? 'application/json' : 'application/x-www-form-urlencoded';
}

function isJsonText(body: string): boolean {
  return body.startsWith('{') || body.startsWith('[');
}

function assertJson(body: string): void {
  try {
    JSON.parse(body);
  } catch {
    // the message of JSON.parse would repeat the body
    throw new TypeError('the body of the sign-in begins like JSON, but is not');
  }
}
