import { describe, expect, it } from '@jest/globals';
import { requestPath } from './request-path.js';

const REFRESH = '/auth/session/refresh';

describe('pathOf', () => {
  it.each([
    [REFRESH, REFRESH],
    [`${REFRESH}?a=/b#c`, REFRESH],
    [`http://api.shop.io${REFRESH}`, REFRESH],
    [`HTTPS://[2001:db8::1]:8443${REFRESH}?a`, REFRESH],
    ['http://api.shop.io', '/'],
    ['', '/'],
    ['*', '*'],
  ])('of %j is %j', (url, path) => {
    expect(requestPath(url)).toBe(path);
  });

  it.each([
    `http://h?${REFRESH}`,
    `http://h#${REFRESH}`,
    `http://u@h?${REFRESH}`,
    `http://u@h${REFRESH}`,
    `http://h;x${REFRESH}`,
    `http://h\\x${REFRESH}`,
    `http://h%2fx${REFRESH}`,
    `http://h'x${REFRESH}`,
    `javascript://h${REFRESH}`,
    `//h${REFRESH}`,
    `h${REFRESH}`,
  ])('takes nothing for a path of ours that a router may read otherwise: %j (S027)', (url) => {
    expect(requestPath(url)).not.toBe(REFRESH);
  });
});
