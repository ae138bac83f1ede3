import type { Readable } from 'node:stream';

/** Errors of body-parser and raw-body about a body. `entity.verify.failed` is absent: the application's own check refused it. */
const BODY_ERRORS: readonly unknown[] = [
  'charset.unsupported',
  'encoding.unsupported',
  'entity.parse.failed',
  'entity.too.large',
  'parameters.too.many',
  'querystring.parse.rangeError',
  'request.size.invalid',
  'stream.encoding.set',
  'stream.not.readable',
];
/** Codes of zlib, Brotli and Zstandard for a body that cannot be unpacked. */
const DECOMPRESSION_ERROR = /^(Z_|ERR_+ERROR_|ERR_BROTLI|ERR_PADDING|ZSTD_)/;

/** Returns whether a body parser of Express could not make anything of the body, which is no matter to a route without one. */
export function isBodyError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { type, code } = error as { readonly type?: unknown; readonly code?: unknown };
  return BODY_ERRORS.includes(type) || (typeof code === 'string' && DECOMPRESSION_ERROR.test(code));
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The members that we use of a request of Fastify. */
export interface FastifyBodyRequest {
  headers: Headers;
  body?: unknown;
}

/** The members that we use of a Fastify instance. */
export interface JsonParserSource {
  getDefaultJsonParser(onProto: 'error', onConstructor: 'error'): JsonParser;
}
type JsonParser = (
  request: unknown,
  text: string,
  done: (error: Error | null, value?: unknown) => void,
) => unknown;

/** The content type of a body that is read. */
export const JSON_TYPE = /^application\/json\s*(;|$)/i;
/** The content type of the form with a logout token. */
export const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;|$)/i;
/** Bytes of a body that are read; a longer one counts as none. */
export const BODY_LIMIT = 1024 * 1024;

/**
 * Reads the one field of a form that a route of ours takes. The others stay out, so that the form of a foreign page is no JSON body.
 *
 * @returns undefined for another content type, and for a form without the field
 */
export function readForm(text: string, contentType: string): { logout_token: string | string[] } | undefined {
  if (!FORM_TYPE.test(contentType)) return undefined;
  const [token, ...others] = new URLSearchParams(text).getAll('logout_token');
  return token === undefined ? undefined : { logout_token: others.length === 0 ? token : [token, ...others] };
}

/**
 * Hooks of a Fastify route that read the body in place of Fastify's parsers: these refuse an empty, broken, too long or
 * unknown body before the handler runs. The body is the value of good JSON, or what {@link readForm} returns, otherwise undefined.
 */
export function bodyHooks(instance: JsonParserSource) {
  const headersAsSent = new WeakMap<object, Headers>();
  const parse = instance.getDefaultJsonParser('error', 'error');
  return {
    preParsing: async (request: FastifyBodyRequest, _reply: unknown, payload: Readable): Promise<void> => {
      const { headers } = request;
      // A body that says it is too long is not waited for, because it need not come.
      const isTooLong = Number(headers['content-length']) > BODY_LIMIT;
      const type = String(headers['content-type']);
      const isRead = JSON_TYPE.test(type) || FORM_TYPE.test(type);
      const text = isRead && !isTooLong ? await readText(payload) : undefined;
      if (text === undefined) payload.resume();
      else if (!JSON_TYPE.test(type)) request.body = readForm(text, type);
      else
        parse(request, text, (error, value) => {
          if (error === null) request.body = value;
        });
      headersAsSent.set(request, headers);
      // Without these Fastify sees no body, and does not parse.
      const hidden = {
        'content-type': undefined,
        'content-length': undefined,
        'transfer-encoding': undefined,
      };
      request.headers = { ...headers, ...hidden };
    },
    preValidation: async (request: FastifyBodyRequest): Promise<void> => {
      request.headers = headersAsSent.get(request) ?? request.headers;
    },
  };
}

/** Reads a body. @returns undefined for one that is too long, or that ends before its time */
export function readText(payload: Readable): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    payload.on('data', (chunk: Buffer | string) => {
      length += chunk.length;
      if (length > BODY_LIMIT) resolve(undefined);
      else chunks.push(Buffer.from(chunk));
    });
    if (payload.readableEnded || payload.destroyed) resolve(undefined);
    payload.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    payload.once('error', () => resolve(undefined));
    payload.once('close', () => resolve(undefined));
  });
}
