import { createHook } from 'node:async_hooks';
import { constants, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isSignedBy, signJwt } from './jws.js';
import { DYNAMIC_TEST_KEY, STATIC_TEST_KEY } from '../../test/fixtures/signing-keys.js';
import { newStoredKeyPair, parseKeyPair } from './key-pairs.js';

const CLAIMS = { sub: 'user-1' };

/** Counts the signatures that the thread pool makes. */
async function signaturesInThreadPool(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const hook = createHook({ init: (_id, type) => (count += type === 'SIGNREQUEST' ? 1 : 0) }).enable();
  await work();
  hook.disable();
  return count;
}

describe('signing many tokens at once', () => {
  it('makes at most one RS256 signature in a turn of the event loop, so that other requests go on', async () => {
    const key = await parseKeyPair('d-1', 1, await newStoredKeyPair('RS256'));
    const burst = async (): Promise<unknown> =>
      Promise.all(Array.from({ length: 40 }, async () => signJwt(CLAIMS, key, 5)));
    expect(await signaturesInThreadPool(burst)).toBeGreaterThanOrEqual(39);
  });
});

describe('a JWS', () => {
  it('is signed by its key, as its algorithm says, and by no other', async () => {
    const key = await parseKeyPair('d-1', 1, DYNAMIC_TEST_KEY);
    const { publicJwk: other } = await parseKeyPair('d-1', 1, STATIC_TEST_KEY);
    const jws = await signJwt(CLAIMS, key);
    expect(await isSignedBy(jws, key.publicJwk)).toBe(true);
    expect(await isSignedBy(jws, other)).toBe(false);
    expect(await isSignedBy(jws, { ...key.publicJwk, use: 'enc' })).toBe(false);
    expect(await isSignedBy('no JWS', key.publicJwk)).toBe(false);
  });

  it('is signed by no algorithm but that of the key (RFC 8725 3.1)', async () => {
    const { privateKey, publicJwk } = await parseKeyPair('d-1', 1, DYNAMIC_TEST_KEY);
    const { alg: _named, ...withoutName } = publicJwk;
    const text = [{ alg: 'PS256' }, CLAIMS]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const pss = { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    const jws = `${text}.${sign('sha256', Buffer.from(text), pss).toString('base64url')}`;
    expect(await isSignedBy(jws, withoutName)).toBe(false);
    const key = await parseKeyPair('d-1', 1, DYNAMIC_TEST_KEY);
    expect(await isSignedBy(await signJwt(CLAIMS, key), withoutName)).toBe(true);
  });

  it('states the version of an access token, and none for a JWT of the application', async () => {
    const key = await parseKeyPair('d-1', 1, DYNAMIC_TEST_KEY);
    const headerOf = (jws: string): unknown =>
      JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString());
    expect(headerOf(await signJwt(CLAIMS, key, 5))).toEqual({
      kid: 'd-1',
      typ: 'JWT',
      version: '5',
      alg: 'RS256',
    });
    expect(headerOf(await signJwt(CLAIMS, key))).toEqual({ kid: 'd-1', typ: 'JWT', alg: 'RS256' });
  });
});
