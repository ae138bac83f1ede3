import { describe, expect, it } from '@jest/globals';
import { readHandleTag, userTag } from '../../util/handle-tag.js';
import { newSessionHandle, parseSessionHandle } from './session-handle.js';

const UUID = '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11';

describe('a session handle', () => {
  it('is a UUID, and names a tenant other than the default', () => {
    expect(newSessionHandle('public')).toMatch(/^[0-9a-f-]{36}$/);
    expect(newSessionHandle('t1')).toMatch(/^[0-9a-f-]{36}_t1$/);
  });

  it('carries the tag of its user where a store asks for it, and is a UUID all the same', () => {
    const tag = userTag('user-1');
    const handle = newSessionHandle('t1', tag);
    expect(handle).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}_t1$/);
    expect(readHandleTag(handle)).toBe(tag);
    expect(readHandleTag(newSessionHandle('t1'))).toBeUndefined();
    expect(newSessionHandle('t1', tag)).not.toBe(handle);
  });

  it.each([
    [UUID, 'public'],
    [`${UUID}_t1`, 't1'],
    [`${UUID}_public`, 'public'],
    [`${UUID}_${'t'.repeat(64)}`, 't'.repeat(64)],
  ])('%s is of the tenant %s', (sessionHandle, tenantId) => {
    expect(parseSessionHandle(sessionHandle)).toEqual({ sessionHandle, tenantId });
  });

  it.each([
    '',
    '_',
    '____',
    '_t1',
    `${UUID}_`,
    `${UUID}_T1`,
    `${UUID}_t1_t2`,
    `${UUID}\n`,
    ` ${UUID}`,
    `${UUID}'--`,
    `${UUID}\0`,
    '../x',
    'a'.repeat(129),
    `${UUID}_${'t'.repeat(65)}`,
  ])('%j is none, and never gets to a store (S092)', (text) => {
    expect(parseSessionHandle(text)).toBeUndefined();
  });
});
