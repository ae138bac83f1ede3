import { randomBytes } from 'node:crypto';
import { decryptBytes, encryptBytes, type SealedKeyContext } from '../../lib/core/embedded/key-wrapping.js';
import type { SessionStore } from '../../lib/stores/session-store.js';

/** Secrets as an application has them: 32 random bytes as text. */
export const SECRET = 'q7Jx2nVt9bKc5RzYw1LsFgPd8MhA3uEo6TiXvN0yCkB';
export const OTHER_SECRET = 'e4Wm8sDz1YpQ6vKj3HtRn9CxLb7FgUa2oIiTqE5wVyM';

/** The marks of a plain private key: PKCS #8 of RSA and of P-256 as base64, PEM, JWK, a refresh-token key of a Core. */
const PLAIN_KEY =
  /MII[A-Za-z0-9+/]{4,6}IBADANBgkqhkiG9w0BAQEFAASC|MIGHAgEAMBMGByqGSM49|PRIVATE KEY|"d":|1000:[0-9a-f]{100}/;

/** The texts of all keys of a store, the refresh-token key last. */
export async function storedTexts(store: SessionStore): Promise<string[]> {
  return [
    ...(await store.findDynamicKeys(0)).map(({ value }) => value),
    ...(await store.findStaticKeys()).map(({ value }) => value),
    await store.getOrSetRefreshTokenKey('none', 1),
  ];
}

/** Returns the texts of a store's keys whose private half is not sealed. */
export async function unsealedTexts(store: SessionStore): Promise<string[]> {
  const texts = await storedTexts(store);
  return texts.filter((text) => PLAIN_KEY.test(text) || !/(^|\|)sealed1\.[\w-]+\.[\w-]+\.[\w-]+$/.test(text));
}

/** Whether a text holds a private key in clear. */
export function holdsPlainKey(text: string): boolean {
  return PLAIN_KEY.test(text);
}

type Behaviour = 'works' | 'fails' | 'hangs' | 'short' | 'text' | 'foreign';

/** A KMS: it encrypts data keys by a key that it never shows, and does as it is told. */
export class FakeKms {
  behaviour: Behaviour = 'works';
  /** The calls so far, `wrap d-1` for example. */
  readonly calls: string[] = [];
  private readonly key = randomBytes(32);

  readonly options = {
    wrap: async (dataKey: Uint8Array, context: SealedKeyContext): Promise<Uint8Array> =>
      this.call('wrap', context, () => encryptBytes(this.key, Buffer.from(dataKey), JSON.stringify(context))),
    unwrap: async (wrapped: Uint8Array, context: SealedKeyContext): Promise<Uint8Array> =>
      this.call('unwrap', context, () => {
        const dataKey = decryptBytes(this.key, Buffer.from(wrapped), JSON.stringify(context));
        if (dataKey === undefined) throw new Error('InvalidCiphertextException');
        return dataKey;
      }),
  };

  private async call(name: string, { id }: SealedKeyContext, work: () => Uint8Array): Promise<Uint8Array> {
    this.calls.push(`${name} ${id}`);
    switch (this.behaviour) {
      case 'works':
        return work();
      case 'fails':
        throw new Error('connect ECONNREFUSED');
      case 'hangs':
        return new Promise(() => undefined);
      case 'short':
        return new Uint8Array(31);
      case 'text':
        return 'a text' as unknown as Uint8Array;
      case 'foreign':
        return new Uint8Array(32).fill(7);
    }
  }
}
