import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readTls } from '../../../sample/01-quickstart/tls.js';

describe('the certificate of the quickstart sample', () => {
  let folder: string;
  let cert: string;
  let key: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nest-sessions-tls-'));
    [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await Promise.all([writeFile(cert, 'the certificate'), writeFile(key, 'the key')]);
  });

  afterAll(async () => rm(folder, { recursive: true }));

  it('is none without the variables, or with empty ones', () => {
    expect(readTls({})).toBeUndefined();
    expect(readTls({ TLS_CERT: '', TLS_KEY: '' })).toBeUndefined();
  });

  it('is read from the files that the variables name', () => {
    expect(readTls({ TLS_CERT: cert, TLS_KEY: key })).toEqual({ cert: 'the certificate', key: 'the key' });
  });

  it('says which variable is missing', () => {
    expect(() => readTls({ TLS_CERT: cert })).toThrow(
      'TLS_CERT is set and TLS_KEY is not: set both to paths of PEM files, or none',
    );
    expect(() => readTls({ TLS_KEY: key })).toThrow('TLS_KEY is set and TLS_CERT is not');
  });

  it('says which variable names a file that cannot be read', () => {
    const absent = join(folder, 'absent.pem');
    expect(() => readTls({ TLS_CERT: cert, TLS_KEY: absent })).toThrow(
      `TLS_KEY names a file that cannot be read: ${absent}`,
    );
  });
});
