import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { ClientResponse, HttpClient, RequestToSend } from './http-client.js';
import { SessionClient } from './session-client.js';

/** The parts of a proof; a given member takes the place of the honest one. */
export interface ProofParts {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly payload?: unknown;
  readonly key?: KeyObject;
}

/** A key as a browser keeps it, and the proofs that it makes. */
export class DeviceKey {
  readonly privateKey: KeyObject;
  readonly jwk: Readonly<Record<string, unknown>>;

  constructor(readonly algorithm: 'ES256' | 'RS256' = 'ES256') {
    const { privateKey, publicKey } =
      algorithm === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.privateKey = privateKey;
    this.jwk = publicKey.export({ format: 'jwk' });
  }

  /** The proof of a registration, which brings the key (D20). */
  registration(challenge: string, parts: ProofParts = {}): string {
    const header = { alg: this.algorithm, jwk: this.jwk, typ: 'dbsc+jwt' };
    return this.jws(header, { jti: challenge }, parts);
  }

  /** The proof of a renewal (D21). */
  renewal(challenge: string, parts: ProofParts = {}): string {
    return this.jws({ alg: this.algorithm, typ: 'dbsc+jwt' }, { jti: challenge }, parts);
  }

  private jws(header: object, payload: unknown, parts: ProofParts): string {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${encode({ ...header, ...parts.header })}.${encode(parts.payload ?? payload)}`;
    const key = { key: parts.key ?? this.privateKey, dsaEncoding: 'ieee-p1363' as const };
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
  }
}

/** A binding that the browser keeps, by the instructions of the server. */
interface Binding {
  readonly id: string;
  readonly refreshUrl: string;
  readonly cookieName: string;
  readonly attributes: string;
  readonly key: DeviceKey;
  challenge: string | undefined;
}

const RENEWAL = 'Secure-Session-Response';

/** The routes of the browser's own requests, below the default base path. */
export const REGISTER = '/auth/session/device/register';
export const RENEW = '/auth/session/device/refresh';

/** The headers of the requests that a browser makes by itself (D12). */
export const OWN_REQUEST = {
  origin: 'https://api.shop.io',
  'sec-fetch-site': 'same-origin',
  'sec-fetch-mode': 'no-cors',
} as const;

/** The challenge with which a response offers to bind its session; empty if it offers nothing. */
export function offeredChallenge(response: ClientResponse): string {
  return /challenge="([^"]*)"/.exec(response.header('secure-session-registration') ?? '')?.[1] ?? '';
}

/**
 * A browser with Device Bound Session Credentials, as Chromium was measured to behave: it registers at once when a response asks
 * for it, renews a bound cookie that is missing before it sends a request, and gives a binding up at what Chromium gives it up at.
 * Expired cookies leave by the test's clock.
 */
export class BindingBrowser {
  readonly session: SessionClient;
  binding: Binding | undefined;
  /** The requests that the browser made by itself: path and status. */
  readonly ownRequests: string[] = [];
  private readonly expiries = new Map<string, number>();

  constructor(
    http: HttpClient,
    private readonly now: () => number,
  ) {
    this.session = new SessionClient(http, 'cookie');
  }

  /** Sends a request of a page: renews first what is missing, registers what is offered. */
  async send(request: RequestToSend): Promise<ClientResponse> {
    const skipped = await this.renewIfMissing(request.path);
    const headers =
      skipped === undefined ? request.headers : { ...request.headers, 'secure-session-skipped': skipped };
    const response = await this.session.send({ ...request, ...(headers === undefined ? {} : { headers }) });
    this.noteExpiry(response);
    await this.registerIfOffered(response);
    return response;
  }

  async login(userId = 'user-1'): Promise<ClientResponse> {
    return this.send({ path: '/login', method: 'POST', body: { userId } });
  }

  async refresh(): Promise<ClientResponse> {
    return this.send({ path: '/auth/session/refresh', method: 'POST' });
  }

  /** Loses a cookie, as at the end of its life. */
  lose(name: string): void {
    this.expiries.delete(name);
    this.session.keep({ lines: (header) => (header === 'set-cookie' ? [removalOf(name)] : []) });
  }

  /** All cookies, copied by malware. The key stays behind. */
  stolenCookies(): SessionClient {
    return this.session.copy();
  }

  private async registerIfOffered(response: ClientResponse): Promise<void> {
    const offer = response.header('secure-session-registration');
    if (offer === undefined) return;
    const [, path = '', challenge = ''] = /^\(ES256\);path="([^"]*)";challenge="([^"]*)"$/.exec(offer) ?? [];
    const key = new DeviceKey();
    const registered = await this.ask(path, { [RENEWAL]: key.registration(challenge) });
    if (registered.status !== 200) return;
    this.adopt(registered, key);
  }

  private adopt(response: ClientResponse, key: DeviceKey): void {
    const body = response.body as {
      session_identifier: string;
      refresh_url: string;
      credentials: { name: string; attributes: string }[];
    };
    const [credential] = body.credentials;
    if (credential === undefined) throw new Error('The instructions name no cookie');
    this.binding = {
      id: body.session_identifier,
      refreshUrl: body.refresh_url,
      cookieName: credential.name,
      attributes: credential.attributes,
      key,
      challenge: readChallenge(response),
    };
  }

  /** @returns what the browser says of a cookie that it could not renew */
  private async renewIfMissing(path: string): Promise<string | undefined> {
    const { binding } = this;
    if (binding === undefined || path === binding.refreshUrl || this.hasCookie(binding.cookieName))
      return undefined;
    for (let leg = 0; leg < 3; leg++) {
      const proof =
        binding.challenge === undefined ? {} : { [RENEWAL]: binding.key.renewal(binding.challenge) };
      binding.challenge = undefined;
      const response = await this.ask(binding.refreshUrl, { 'sec-secure-session-id': binding.id, ...proof });
      binding.challenge = readChallenge(response);
      if (response.status >= 500) return `server_error;session_identifier="${binding.id}"`;
      const goesOn =
        response.status === 200 ? response.text === '' || isOn(response) : binding.challenge !== undefined;
      if (!goesOn || (response.status !== 403 && response.status !== 200)) this.binding = undefined;
      if (response.status !== 403 || !goesOn) return undefined;
    }
    throw new Error('The server goes on asking for proofs');
  }

  private async ask(path: string, headers: Readonly<Record<string, string>>): Promise<ClientResponse> {
    const response = await this.session.send({
      path,
      method: 'POST',
      headers: {
        ...headers,
        ...OWN_REQUEST,
      },
    });
    this.noteExpiry(response);
    this.ownRequests.push(`${path} ${response.status}`);
    return response;
  }

  private hasCookie(name: string): boolean {
    const expiry = this.expiries.get(name);
    const isLive = expiry !== undefined && expiry > this.now();
    if (!isLive && expiry !== undefined) this.lose(name);
    return isLive;
  }

  private noteExpiry(response: ClientResponse): void {
    for (const line of response.lines('set-cookie')) {
      const name = line.slice(0, line.indexOf('='));
      const [, maxAge] = /; Max-Age=(\d+)/.exec(line) ?? [];
      if (maxAge !== undefined) this.expiries.set(name, this.now() + Number(maxAge) * 1000);
    }
  }
}

function removalOf(name: string): string {
  return `${name}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT`;
}

function readChallenge(response: ClientResponse): string | undefined {
  return /^"([^"]*)";id="[^"]*"$/.exec(response.header('secure-session-challenge') ?? '')?.[1];
}

function isOn(response: ClientResponse): boolean {
  return (response.body as { continue?: boolean }).continue !== false;
}

/** Returns a new browser that visits an application and lives by its clock. */
export function browserOf({ http, clock }: { http: HttpClient; clock: { now(): number } }): BindingBrowser {
  return new BindingBrowser(http, () => clock.now());
}
