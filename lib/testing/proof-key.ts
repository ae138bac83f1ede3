import { generateKeyPairSync, hash, randomUUID, sign, type KeyObject } from 'node:crypto';
import type { KeyConfirmation } from '../util/key-confirmation.js';
import type { ResponseHeaders } from './client-tokens.js';

/** The application as the proofs of a client name it. */
export interface ProofKeyOptions {
  /** The origin and the prefix in front of the application's paths. */
  readonly baseUrl: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * A key of a client, and the proofs of it that its requests carry (DPoP).
 *
 * @see RFC 9449 section 4.2
 */
export class ProofKey {
  private readonly jwk: Readonly<Record<string, unknown>>;
  private readonly privateKey: KeyObject;
  private nonce: string | undefined;

  constructor(private readonly options: ProofKeyOptions) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
    this.jwk = { crv, kty, x, y }; // in the order of its thumbprint (RFC 7638)
    this.privateKey = privateKey;
  }

  /** The binding of a session to this key. */
  get confirmation(): KeyConfirmation {
    const jkt = hash('sha256', JSON.stringify(this.jwk), 'base64url');
    return { jkt, via: 'dpop', boundAt: this.nowSec };
  }

  /** Returns the headers of a request with a proof for it, and with the scheme `DPoP` in front of its token. */
  prove(method: string, path: string, headers: Record<string, string>): Record<string, string> {
    const [, token] = /^Bearer (.*)$/.exec(headers['authorization'] ?? '') ?? [];
    return {
      ...headers,
      ...(token === undefined ? {} : { authorization: `DPoP ${token}` }),
      dpop: this.proof(method, path, token),
    };
  }

  /** Keeps the nonce of a response. @returns whether the request has to be repeated with it */
  keepNonce(status: number, response: ResponseHeaders): boolean {
    const [nonce] = response.lines('dpop-nonce');
    if (nonce === undefined) return false;
    this.nonce = nonce;
    return (
      status === 401 && response.lines('www-authenticate').some((each) => each.includes('use_dpop_nonce'))
    );
  }

  private get nowSec(): number {
    return Math.floor(this.options.now() / 1000);
  }

  private proof(method: string, path: string, token: string | undefined): string {
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: this.jwk };
    const claims = {
      jti: randomUUID(),
      htm: method.toUpperCase(),
      htu: this.options.baseUrl + (path.split('?', 1)[0] ?? ''),
      iat: this.nowSec,
      ath: token === undefined ? undefined : hash('sha256', token, 'base64url'),
      nonce: this.nonce,
    };
    const signed = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const key = { key: this.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
  }
}
