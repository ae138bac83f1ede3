import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { TestClock } from 'nest-sessions/testing';
import type { ClientResponse, HttpClient, RequestToSend } from './http-client.js';
import { SessionClient } from './session-client.js';

/** The header and claims of a proof. Members that are undefined are left out. */
export interface ProofContent {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

let lastId = 0;

/** A key of a client, made and used with `node:crypto` alone, so that proofs can be wrong in any way. */
export class ProofKey {
  readonly jwk: Readonly<Record<string, unknown>>;
  private readonly privateKey: KeyObject;

  constructor(readonly alg: 'ES256' | 'EdDSA' = 'ES256') {
    const pair =
      alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
    this.privateKey = pair.privateKey;
    this.jwk = pair.publicKey.export({ format: 'jwk' });
  }

  /** The private key, as a JWK. */
  get privateJwk(): Readonly<Record<string, unknown>> {
    return this.privateKey.export({ format: 'jwk' });
  }

  /** The thumbprint, by RFC 7638. */
  get jkt(): string {
    const names = this.alg === 'ES256' ? ['crv', 'kty', 'x', 'y'] : ['crv', 'kty', 'x'];
    const members = names.map((name) => `"${name}":${JSON.stringify(this.jwk[name])}`);
    return sha256(`{${members.join(',')}}`);
  }

  /** Signs texts as they are. */
  signTexts(header: string, payload: string): string {
    const signed = `${encode(header)}.${encode(payload)}`;
    return `${signed}.${this.signature(signed)}`;
  }

  signature(signed: string): string {
    const signature =
      this.alg === 'ES256'
        ? sign('sha256', Buffer.from(signed), { key: this.privateKey, dsaEncoding: 'ieee-p1363' })
        : sign(null, Buffer.from(signed), this.privateKey);
    return signature.toString('base64url');
  }

  /** Makes a proof; what is given replaces what a good one says. */
  proof({ header, claims }: ProofContent): string {
    return this.signTexts(
      JSON.stringify({ typ: 'dpop+jwt', alg: this.alg, jwk: this.jwk, ...header }),
      JSON.stringify({ jti: `proof-${lastId++}`, ...claims }),
    );
  }
}

export function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** A client that holds a key, sends proofs of it, and repeats what lacks a nonce. */
export class DpopClient extends SessionClient {
  nonce: string | undefined;

  constructor(
    private readonly connection: HttpClient,
    private readonly clock: TestClock,
    readonly key = new ProofKey(),
    private readonly apiDomain = 'https://api.shop.io',
  ) {
    super(connection, 'header');
  }

  /** The claims of a good proof. */
  claims(method: string, path: string, token?: string): Record<string, unknown> {
    return {
      htm: method,
      htu: `${this.apiDomain}${path.split('?', 1)[0]}`,
      iat: Math.floor(this.clock.now() / 1000),
      ...(token === undefined ? {} : { ath: sha256(token) }),
      ...(this.nonce === undefined ? {} : { nonce: this.nonce }),
    };
  }

  /** A good proof, or one that differs from it. */
  proof(
    method: string,
    path: string,
    { header, claims }: ProofContent = {},
    token = this.accessToken,
  ): string {
    return this.key.proof({
      ...(header === undefined ? {} : { header }),
      claims: { ...this.claims(method, path, token), ...claims },
    });
  }

  /** Another client with the same tokens and the same key: a second thread of the app. */
  copyWithKey(): DpopClient {
    const other = new DpopClient(this.connection, this.clock, this.key, this.apiDomain);
    other.adoptTokens(this);
    return other;
  }

  override requestHeaders(path: string): Record<string, string> {
    const { authorization, ...others } = super.requestHeaders(path);
    return authorization === undefined
      ? others
      : { ...others, authorization: authorization.replace('Bearer ', 'DPoP ') };
  }

  override async send(request: RequestToSend): Promise<ClientResponse> {
    const { method = 'GET', path, headers } = request;
    const attempt = async (): Promise<ClientResponse> =>
      super.send({ ...request, headers: { dpop: this.proof(method, path), ...headers } });
    const response = await attempt();
    const nonce = response.header('dpop-nonce');
    this.nonce = nonce ?? this.nonce;
    return response.status === 401 && response.header('www-authenticate')?.includes('use_dpop_nonce') === true
      ? attempt()
      : response;
  }
}
