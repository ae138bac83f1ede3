import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, SourceTextModule, SyntheticModule, type Module } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID } from '../fixtures/signing-keys.js';
import { publicJwkOf } from '../fixtures/key-set.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';

/** Bytes of the verifier and its error responses, without jose, minified and compressed as they are sent. */
const MAX_COMPRESSED = 20_000;
/** Minified only, of these and of the whole door with its feed and its claims: ratchets, lower them with what goes. */
const MAX_MINIFIED = 42_300;
const MAX_MINIFIED_WHOLE = 67_000;

const door = join(process.cwd(), 'lib/verify/index.ts');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verify-door-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Bundles for a runtime that has nothing of Node; an import of `node:` fails the build. */
async function bundle(entry: string): Promise<string> {
  const file = join(folder, 'entry.ts');
  await writeFile(file, entry.replace('nest-sessions/verify', door));
  const outfile = join(folder, 'bundle.mjs');
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    external: ['jose/*'],
    logLevel: 'silent',
  });
  return readFileSync(outfile, 'utf8');
}

describe('the verifying door in a bundle', () => {
  it('needs nothing of Node, and is small', async () => {
    const whole = await bundle(`export * from 'nest-sessions/verify'`);
    const usual = await bundle(
      `export { createSessionVerifier, sessionErrorResponse } from 'nest-sessions/verify'`,
    );
    const size = (text: string): object => ({ minified: text.length, compressed: gzipSync(text).length });
    process.stdout.write(
      `nest-sessions/verify: ${JSON.stringify({ whole: size(whole), usual: size(usual) })}\n`,
    );
    expect(whole).not.toMatch(/\bnode:/);
    expect(whole).not.toMatch(/\bBuffer\s*[.(]/);
    expect([...whole.matchAll(/\bfrom\s*"([^"]+)"/g)].map(([, name]) => name)).toEqual(['jose/key/import']);
    expect(gzipSync(usual).length).toBeLessThan(MAX_COMPRESSED);
    expect(usual.length).toBeLessThan(MAX_MINIFIED);
    expect(whole.length).toBeLessThan(MAX_MINIFIED_WHOLE);
  });

  it('verifies where there is neither process nor Buffer, and numbers stand for timers', async () => {
    const text = await bundle(
      `export { createSessionVerifier, sessionErrorResponse } from 'nest-sessions/verify'`,
    );
    const context = createContext({
      crypto,
      atob,
      btoa,
      TextEncoder,
      TextDecoder,
      URL,
      Request,
      Response,
      Headers,
      AbortController,
      structuredClone,
      console,
      setTimeout: (work: () => void, ms: number): number => Number(setTimeout(work, ms)),
      clearTimeout,
      fetch: async () => Response.json({ keys: [publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID)] }),
    });
    const module = new SourceTextModule(text, { context });
    const jose = new SyntheticModule(['importJWK'], () => jose.setExport('importJWK', importJWK), {
      context,
    });
    await module.link((name: string): Module => {
      expect(name).toBe('jose/key/import');
      return jose;
    });
    await module.evaluate();
    const { createSessionVerifier } = module.namespace as typeof import('nest-sessions/verify');
    const clock = { now: () => V5_CLAIMS.iat * 1000 };
    const verifier = createSessionVerifier({ apiDomain: 'https://api.shop.io', clock });
    const authorization = `Bearer ${jwt(V5_HEADER, V5_CLAIMS)}`;
    for (let time = 0; time < 2; time++)
      expect(
        await verifier.verify(new Request('https://orders.shop.io/', { headers: { authorization } })),
      ).toMatchObject({
        userId: 'user-1',
      });
    await expect(verifier.verify(new Request('https://orders.shop.io/'))).rejects.toMatchObject({
      type: 'UNAUTHORISED',
    });
  });
});
