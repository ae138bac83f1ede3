import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { parseSetCookie, type ReceivedCookie } from '../http/set-cookie.js';
import { headerLines, isSuccess, jsonBody, readHeader, type RecordedExchange } from './exchange.js';
import { routeUrl, type ApiAddress, type Exchanges } from './facts.js';

/** Sends a `POST` without a body, with these headers. */
export type Post = (url: string, headers: Readonly<Record<string, string>>) => Promise<RecordedExchange>;

/** The request of a browser to register a key, as the response to a sign-in asks for it. */
export interface RegistrationOffer {
  readonly url: string;
  readonly challenge: string;
  readonly algorithm: Algorithm;
}

type Algorithm = 'ES256' | 'RS256';

const PARAMETER = '="((?:[^"\\\\]|\\\\.)*)"';

/** Reads `Secure-Session-Registration`. @returns undefined if there is none that a browser can follow */
export function readOffer(signIn: RecordedExchange | undefined): RegistrationOffer | undefined {
  const [value, ...others] = headerLines(signIn, 'secure-session-registration');
  if (signIn === undefined || value === undefined || others.length > 0) return undefined;
  const [, algorithms = ''] = /^\s*\(([^)]*)\)/.exec(value) ?? [];
  const path = readParameter(value, 'path');
  const challenge = readParameter(value, 'challenge');
  const algorithm = (['ES256', 'RS256'] as const).find((each) => algorithms.split(/\s+/).includes(each));
  if (path === undefined || challenge === undefined || algorithm === undefined) return undefined;
  const url = URL.canParse(path, signIn.url) ? new URL(path, signIn.url) : undefined;
  return url?.origin === new URL(signIn.url).origin ? { url: url.href, challenge, algorithm } : undefined;
}

/** The requests by which a browser binds a session and renews its cookie, and the cookie that it has then. */
export interface DeviceProbe {
  readonly exchanges: Partial<Exchanges>;
  readonly boundCookies: readonly ReceivedCookie[];
}

/**
 * Binds the session of a sign-in to a key of its own, as a browser with device-bound sessions would, and renews the bound cookie once.
 *
 * @param cookie the cookies of the session
 */
export async function probeDevice(
  api: ApiAddress,
  signIn: RecordedExchange,
  cookie: string | undefined,
  send: Post,
): Promise<DeviceProbe> {
  const post: Post = async (url, headers) => send(url, { ...headersOfBrowser(api), ...headers });
  const deviceRoute = await post(routeUrl(api, 'renewDevice'), {});
  const offer = readOffer(signIn);
  if (offer === undefined || cookie === undefined) return { exchanges: { deviceRoute }, boundCookies: [] };
  const key = new DoctorKey(offer.algorithm);
  const registerDevice = await post(offer.url, {
    cookie,
    'secure-session-response': key.registration(offer.challenge),
  });
  if (!isSuccess(registerDevice)) return { exchanges: { deviceRoute, registerDevice }, boundCookies: [] };
  const { session_identifier: id, refresh_url: path } = jsonBody(registerDevice.response) ?? {};
  const isComplete = typeof id === 'string' && typeof path === 'string' && URL.canParse(path, offer.url);
  const boundCookies = boundCookiesOf(registerDevice);
  if (!isComplete) return { exchanges: { deviceRoute, registerDevice }, boundCookies };
  const url = new URL(path, offer.url).href;
  const named = { cookie, 'sec-secure-session-id': id };
  const challengeDevice = await post(url, named);
  const challenge = /^\s*"([^"\\]*)"/.exec(
    readHeader(challengeDevice, 'secure-session-challenge') ?? '',
  )?.[1];
  if (challenge === undefined)
    return { exchanges: { deviceRoute, registerDevice, challengeDevice }, boundCookies };
  const renewDevice = await post(url, { ...named, 'secure-session-response': key.renewal(challenge) });
  return { exchanges: { deviceRoute, registerDevice, challengeDevice, renewDevice }, boundCookies };
}

/** The cookies that a response sets and its instructions name. */
export function boundCookiesOf(exchange: RecordedExchange | undefined): ReceivedCookie[] {
  if (exchange === undefined) return [];
  const names = readCredentials(exchange).map(({ name }) => name);
  return headerLines(exchange, 'set-cookie')
    .map((line) => parseSetCookie(line, new URL(exchange.url), exchange.receivedAtMs))
    .filter((cookie) => cookie !== undefined)
    .filter(({ name }) => names.includes(name));
}

/** The cookies that the instructions in a response name, with their attributes. */
export function readCredentials(exchange: RecordedExchange): { name: string; attributes: string }[] {
  const credentials = jsonBody(exchange.response)?.['credentials'];
  if (!Array.isArray(credentials)) return [];
  return credentials.flatMap((each: unknown) => {
    const { name, attributes } = (each ?? {}) as Readonly<Record<string, unknown>>;
    return typeof name === 'string' && typeof attributes === 'string' ? [{ name, attributes }] : [];
  });
}

/** The requests of the browser itself belong to no page. */
function headersOfBrowser({ origin }: ApiAddress): Record<string, string> {
  return { origin, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' };
}

function readParameter(value: string, name: string): string | undefined {
  return new RegExp(`;\\s*${name}${PARAMETER}`).exec(value)?.[1]?.replaceAll(/\\(.)/g, '$1');
}

/** A key as a browser would keep it, and the proofs that it makes. */
class DoctorKey {
  private readonly privateKey: KeyObject;
  private readonly jwk: object;

  constructor(private readonly algorithm: Algorithm) {
    const { privateKey, publicKey } =
      algorithm === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.privateKey = privateKey;
    this.jwk = publicKey.export({ format: 'jwk' });
  }

  registration(challenge: string): string {
    return this.jws({ alg: this.algorithm, jwk: this.jwk, typ: 'dbsc+jwt' }, challenge);
  }

  renewal(challenge: string): string {
    return this.jws({ alg: this.algorithm, typ: 'dbsc+jwt' }, challenge);
  }

  private jws(header: object, jti: string): string {
    const [head, payload] = [header, { jti }].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signed = `${head}.${payload}`;
    const key = { key: this.privateKey, dsaEncoding: 'ieee-p1363' as const };
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
  }
}
