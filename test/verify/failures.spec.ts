import { describe, expect, it } from '@jest/globals';
import { SessionConfigError as ConfigErrorOfMainDoor, UnauthorisedError as OfMainDoor } from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import {
  createSessionVerifier,
  forwardRefresh,
  servedRevocations,
  sessionErrorResponse,
  SessionConfigError,
  UnauthorisedError,
  type SessionVerifierOptions,
} from 'nest-sessions/verify';
import { publicJwkOf } from '../fixtures/key-set.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';
import { DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID, FOREIGN_TEST_KEY } from '../fixtures/signing-keys.js';
import { rs256 } from '../fixtures/made-tokens.js';

const KEY = publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID);
const OTHER_KEY = publicJwkOf(FOREIGN_TEST_KEY, 'd-2');
const TOKEN = jwt(V5_HEADER, V5_CLAIMS);
const TOKEN_OF_OTHER_KEY = jwt({ ...V5_HEADER, kid: 'd-2' }, V5_CLAIMS, (text) =>
  rs256(text, FOREIGN_TEST_KEY),
);

/** An API whose keys a test replaces, or whose response it spoils. */
function setUp(options: Partial<SessionVerifierOptions> = {}) {
  const clock = new TestClock(V5_CLAIMS.iat * 1000);
  const api = { calls: 0, respond: async (): Promise<Response> => Response.json({ keys: [KEY] }) };
  const fetch = async (): Promise<Response> => {
    api.calls++;
    return api.respond();
  };
  const verifier = createSessionVerifier({ apiDomain: 'https://api.shop.io', clock, fetch, ...options });
  const status = async (token = TOKEN): Promise<string> => {
    try {
      await verifier.verifyToken(token);
      return '200';
    } catch (error) {
      const response = sessionErrorResponse(error);
      return `${response?.status} ${await response?.text()}`;
    }
  };
  return { clock, api, verifier, status };
}

const UNAVAILABLE = '503 {"message":"service unavailable"}';
const TRY_REFRESH = '401 {"message":"try refresh token"}';

/** A body without an end. */
function endless(): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(65_536).fill(32);
  return new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
}

describe('the keys of an API', () => {
  it('are fetched once for many requests', async () => {
    const { api, status } = setUp();
    expect(await Promise.all(Array.from({ length: 20 }, async () => status()))).toEqual(
      Array.from({ length: 20 }, () => '200'),
    );
    expect(api.calls).toBe(1);
  });

  it.each([
    ['that is gone', async () => Promise.reject(new TypeError('fetch failed'))],
    ['that is starting', async () => new Response('', { status: 503 })],
    ['that has too much to do', async () => new Response('', { status: 429 })],
    ['that sends a page', async () => new Response('<html>')],
    ['that sends no keys', async () => Response.json({ keys: [] })],
    ['that sends another document', async () => Response.json(['keys'])],
    ['that sends keys without names', async () => Response.json({ keys: [{ kty: 'RSA' }] })],
    [
      'that sends elsewhere',
      async () => new Response('', { status: 302, headers: { location: 'https://evil.example' } }),
    ],
    ['that is another one', async () => new Response('', { status: 404 })],
    ['that sends too much', async () => new Response('x'.repeat(1_048_577))],
    ['whose response has no end', async () => new Response(endless())],
  ])('%s give 503 and no word about the session, until it is back', async (_name, respond) => {
    const { api, clock, status } = setUp();
    api.respond = respond;
    expect(await status()).toBe(UNAVAILABLE);
    api.respond = async () => Response.json({ keys: [KEY] });
    clock.advanceSeconds(1);
    expect(await status()).toBe('200');
  });

  it('that never come give 503 after five seconds, by the signal of the fetch', async () => {
    let signal: AbortSignal | null | undefined;
    const fetch = async (_url: string, init: RequestInit): Promise<Response> => {
      ({ signal } = init);
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
        setImmediate(() => reject(new DOMException('aborted', 'AbortError')));
      });
    };
    const { status } = setUp({ fetch });
    expect(await status()).toBe(UNAVAILABLE);
    expect(signal).toBeInstanceOf(AbortSignal);
  });

  it('go on while the API is away, and a remembered token costs no call', async () => {
    const { api, clock, status } = setUp();
    await status();
    api.respond = async () => Promise.reject(new TypeError('fetch failed'));
    clock.advanceSeconds(600);
    expect(await status()).toBe('200');
    expect(await status()).toBe('200');
  });

  it('are fetched again for a key that is not known, and at most twice a second', async () => {
    const { api, clock, status } = setUp();
    await status();
    expect(await status(TOKEN_OF_OTHER_KEY)).toBe(TRY_REFRESH);
    expect(await status(TOKEN_OF_OTHER_KEY)).toBe(TRY_REFRESH);
    expect(api.calls).toBe(1);
    api.respond = async () => Response.json({ keys: [OTHER_KEY, KEY] });
    clock.advanceSeconds(1);
    expect(await status(TOKEN_OF_OTHER_KEY)).toBe('200');
    expect(api.calls).toBe(2);
  });

  it('that leave the set verify no longer than a minute, remembered or not', async () => {
    const { api, clock, status } = setUp();
    expect(await status()).toBe('200');
    api.respond = async () => Response.json({ keys: [OTHER_KEY] });
    clock.advanceSeconds(59);
    expect(await status()).toBe('200');
    clock.advanceSeconds(1);
    expect(await status()).toBe(TRY_REFRESH);
  });

  it('may be given, so that nothing is fetched', async () => {
    const { api, status } = setUp({ keys: { keys: [KEY] } });
    expect([await status(), await status(TOKEN_OF_OTHER_KEY)]).toEqual(['200', TRY_REFRESH]);
    expect(api.calls).toBe(0);
  });
});

describe('the options of a verifier', () => {
  it.each<[object, string]>([
    [{}, 'apiDomain: is missing: give it, or jwksUri, or keys'],
    [{ apiDomain: 'api.shop.io' }, 'apiDomain: "api.shop.io" does not work'],
    [{ apiDomain: 'https://api.shop.io/auth' }, 'an origin without a path is expected'],
    [{ apiDomain: 'ftp://api.shop.io' }, 'an address with http:// or https://'],
    [{ apiDomain: 'https://user:word@api.shop.io' }, 'without a password'],
    [{ jwksUri: 'nowhere' }, 'jwksUri: "nowhere" does not work'],
    [{ keys: { keys: [] } }, 'keys has no usable key'],
    [{ keys: { keys: [KEY] }, jwksUri: 'https://api.shop.io/keys' }, 'keys: and jwksUri exclude each other'],
    [
      { apiDomain: 'https://api.shop.io', antiCSRF: 'NONE' },
      'antiCSRF: there is no such option; did you mean antiCsrf?',
    ],
    [{ apiDomain: 'https://api.shop.io', antiCsrf: 'VIA_COOKIE' }, 'accepted are VIA_TOKEN'],
    [{ apiDomain: 'https://api.shop.io', claims: ['admin'] }, 'an array of claim validators is expected'],
    [
      { apiDomain: 'https://api.shop.io', feed: { url: 'https://api.shop.io' } },
      'servedRevocations({ url, apiKey }) is expected',
    ],
    [{ apiDomain: 'https://api.shop.io', clock: {} }, 'an object with now() is expected'],
    [{ apiDomain: 'https://api.shop.io', cookieName: 'a b' }, 'the name of a cookie is expected'],
  ])('that are wrong give one error that says so: %j', (options, message) => {
    const make = (): unknown => createSessionVerifier(options);
    expect(make).toThrow(SessionConfigError);
    expect(make).toThrow(message);
    expect(make).toThrow(/^createSessionVerifier cannot start, one option is wrong/);
  });

  it.each<[object, string]>([
    [{}, 'url: is missing'],
    [{ url: 'x' }, 'url: "x" does not work'],
    [{ url: 'https://api.shop.io/x', whenStale: 'wait' }, 'accepted are check-store, accept, refuse'],
    [{ url: 'https://api.shop.io/x', pollMs: 1 }, 'a whole number from 50 to 60000'],
  ])('of a feed that are wrong give one, too: %j', (options, message) => {
    expect(() => servedRevocations(options as never)).toThrow(message);
  });

  it('say that checkDatabase needs a server to ask', async () => {
    const { verifier } = setUp();
    await expect(verifier.verifyToken(TOKEN, { checkDatabase: true })).rejects.toThrow(TypeError);
    await expect(verifier.verifyToken(TOKEN, { checkDatabase: true })).rejects.toThrow(/option feed/);
  });
});

describe('a session that is bound to a device', () => {
  const bound = jwt(V5_HEADER, { ...V5_CLAIMS, cnf: { jkt: 'x', via: 'dpop', boundAt: 1 } });

  it('is refused, because its proof cannot be checked here, and accepted where that is wanted', async () => {
    expect(await setUp().status(bound)).toBe('401 {"message":"unauthorised"}');
    expect(await setUp({ boundSessions: 'accept' }).status(bound)).toBe('200');
  });
});

describe('errors of the verifying door', () => {
  it('are the classes of the main door', () => {
    expect(UnauthorisedError).toBe(OfMainDoor);
    expect(SessionConfigError).toBe(ConfigErrorOfMainDoor);
  });

  it('get no response from us if they are not about the session', () => {
    expect(sessionErrorResponse(new Error('mine'))).toBeUndefined();
    expect(sessionErrorResponse(undefined)).toBeUndefined();
  });
});

describe('a refresh that is handed on', () => {
  it('is a POST', async () => {
    const request = new Request('https://shop.io/auth/session/refresh');
    await expect(forwardRefresh(request, { apiDomain: 'https://api.shop.io' })).rejects.toBeInstanceOf(
      UnauthorisedError,
    );
  });

  it('to an API that is away is a 503, and the client keeps its tokens', async () => {
    const request = new Request('https://shop.io/auth/session/refresh', { method: 'POST' });
    const fetch = async (): Promise<Response> => Promise.reject(new TypeError('fetch failed'));
    const error: unknown = await forwardRefresh(request, { apiDomain: 'https://api.shop.io', fetch }).catch(
      (each: unknown) => each,
    );
    expect(sessionErrorResponse(error)?.status).toBe(503);
  });
});
