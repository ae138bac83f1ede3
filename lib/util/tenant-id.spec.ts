import { describe, expect, it } from '@jest/globals';
import { isTenantId } from './tenant-id.js';

describe('a tenant id', () => {
  it.each(['public', 'a', 't-1', '0', 'a'.repeat(64), 'user', 'my-config', 'hello-1', 'appid'])(
    'can be %s',
    (text) => expect(isTenantId(text)).toBe(true),
  );
  it.each(['', 'A', 'a_b', 'a b', 'a\n', 'é', 'a'.repeat(65)])('cannot be %j', (text) =>
    expect(isTenantId(text)).toBe(false),
  );
  it.each(['users', 'recipe', 'config', 'hello', 'appid-', 'appid-x'])(
    'cannot be %s, which means something else in the path of a call (S094)',
    (text) => expect(isTenantId(text)).toBe(false),
  );
});
