import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/util/json.js';
import type { CoreExchange } from '../fixtures/core-exchanges.js';
import type { RawResponse, RawRequest } from './served-core.js';

const HEADERS_THAT_COUNT = ['cdi-version', 'api-key', 'authorization', 'rid', 'content-type'];
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const JSON_STRING = /"((?:[^"\\]|\\.)*)"/g;
const REFRESH_TOKEN = /^[A-Za-z0-9+/=]+\.[0-9a-f]{64}\.V2$/;
const ACCESS_TOKEN_OR_JWT = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

/** A response in a form in which a recorded one and ours can be equal. */
export interface ComparableResponse {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly cacheControl: string | undefined;
  /** Text, or JSON without what differs from run to run. */
  readonly body: JsonValue;
}

/**
 * Plays a recorded conversation against another core: what the recorded one handed out (handles, tokens, parts of
 * tokens) is exchanged in later requests for what the other one handed out in its place.
 */
export class Replay {
  private readonly oursOf = new Map<string, string>();
  private readonly recordedOf = new Map<string, string>();

  /** The recorded request with our own handles and tokens in it. */
  requestOf({ request: { method, path, query, headers, body } }: CoreExchange): RawRequest {
    const url = Object.keys(query).length === 0 ? path : `${path}?${new URLSearchParams(query).toString()}`;
    return {
      method,
      path: url.replace(UUID, (handle) => this.oursOf.get(handle) ?? handle),
      headers: Object.fromEntries(
        HEADERS_THAT_COUNT.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])),
      ),
      ...(method !== 'GET' && {
        body: body.replace(JSON_STRING, (_, text: string) => `"${this.translated(text)}"`),
      }),
    };
  }

  /** Remembers what stands in our response where the recorded one has a handle or a token. */
  learn(recorded: CoreExchange, ours: RawResponse): void {
    this.pairUp(jsonIn(recorded.answer.body), jsonIn(ours.text));
  }

  comparable(status: number, headers: Readonly<Record<string, unknown>>, text: string): ComparableResponse {
    return {
      status,
      contentType: textOf(headers['content-type']),
      cacheControl: textOf(headers['cache-control']),
      body: this.withoutNoise(jsonIn(text) ?? text.trimEnd()),
    };
  }

  private translated(text: string): string {
    const known = this.oursOf.get(text);
    if (known !== undefined) return known;
    // A token that was altered by hand consists of parts that we know and of others.
    return text
      .split('.')
      .map((part) => this.oursOf.get(part) ?? part)
      .join('.');
  }

  private pairUp(recorded: JsonValue | undefined, ours: JsonValue | undefined, name = ''): void {
    if (isJsonObject(recorded) && isJsonObject(ours)) {
      for (const child of Object.keys(recorded)) this.pairUp(recorded[child], ours[child], child);
    }
    if (!NAMES_OF_SECRETS.has(name) || typeof recorded !== 'string' || typeof ours !== 'string') return;
    this.remember(recorded, ours);
    const parts = ours.split('.');
    recorded.split('.').forEach((part, index) => this.remember(part, parts[index] ?? ''));
  }

  private remember(recorded: string, ours: string): void {
    if (this.oursOf.has(recorded)) return;
    this.oursOf.set(recorded, ours);
    this.recordedOf.set(ours, recorded);
  }

  private withoutNoise(value: JsonValue): JsonValue {
    if (Array.isArray(value)) return value.map((item) => this.withoutNoise(item));
    if (typeof value === 'string') return this.withoutNoiseInText(value);
    if (!isJsonObject(value)) return value;
    if (value['kty'] === 'RSA') return { ...value, n: typeof value['n'] }; // other key material
    return Object.fromEntries(
      Object.entries(withLifetime(value)).map(([name, child]) => [
        name,
        NOISY_NAMES.has(name) && child !== null ? typeof child : this.withoutNoise(child),
      ]),
    );
  }

  private withoutNoiseInText(text: string): JsonValue {
    if (REFRESH_TOKEN.test(text)) return 'a refresh token, V2';
    if (!ACCESS_TOKEN_OR_JWT.test(text)) return this.recordedOf.get(text) ?? text;
    const [header = '', payload = ''] = text.split('.', 2);
    return this.withoutNoise([decodedPart(header), decodedPart(payload)]);
  }
}

/** Under which names a core hands out what comes back in later requests. */
const NAMES_OF_SECRETS = new Set(['handle', 'token', 'antiCsrfToken']);

const NOISY_NAMES = new Set([
  'antiCsrfToken',
  'refreshTokenHash1',
  'parentRefreshTokenHash1',
  'createdTime',
  'timeCreated',
  'iat',
]);

/** Ends of life become lengths of life, in seconds: the recorded clock is known to the second only. */
function withLifetime(value: JsonObject): JsonObject {
  const { expiry, createdTime, timeCreated = createdTime, exp, iat } = value;
  if (typeof expiry === 'number' && typeof timeCreated === 'number') {
    return { ...value, expiry: Math.floor((expiry - timeCreated) / 1000) };
  }
  return typeof exp === 'number' && typeof iat === 'number' ? { ...value, exp: exp - iat } : value;
}

function decodedPart(part: string): JsonValue {
  return jsonIn(Buffer.from(part, 'base64url').toString('utf8')) ?? part;
}

function jsonIn(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined; // a response in words
  }
}

function textOf(header: unknown): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
