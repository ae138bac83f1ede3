import { createHash, createPublicKey } from 'node:crypto';

const pem = (label: string, der: string): string =>
  `-----BEGIN ${label}-----\n${der.replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;

/** A key and its certificate, both in PEM. */
export interface TlsPair {
  readonly key: string;
  readonly cert: string;
}

/** @returns a pair from its base64 DER */
export function tlsPair(key: string, certificate: string): TlsPair {
  return { key: pem('PRIVATE KEY', key), cert: pem('CERTIFICATE', certificate) };
}

/** The SHA-256 of a certificate's public key, base64: a browser with this hash in its list takes the certificate for valid. */
export function spkiHash({ cert }: TlsPair): string {
  const spki = createPublicKey(cert).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64');
}
