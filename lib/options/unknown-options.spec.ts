import { describe, expect, it } from '@jest/globals';
import { findUnknownOptions } from './unknown-options.js';

const known = ['cookieDomain', 'cookieSecure', 'antiCsrf', 'jwksRefreshIntervalSec', 'core'];

describe('an option name that nothing reads', () => {
  it.each([
    ['cookieDomian', 'cookieDomain'],
    ['cookiedomain', 'cookieDomain'],
    ['antiCSRF', 'antiCsrf'],
    ['jwksRefreshIntervalSeconds', 'jwksRefreshIntervalSec'],
    ['cor', 'core'],
  ])('%s gets the suggestion %s', (name, suggestion) => {
    expect(findUnknownOptions({ [name]: 1 }, known)).toEqual([
      { path: name, message: `there is no such option; did you mean ${suggestion}?` },
    ]);
  });

  it.each(['supertokens', 'recipeList', 'x', '', '__proto__'])('%j resembles none', (name) => {
    expect(findUnknownOptions({ [name]: 1 }, known)).toEqual([
      { path: name, message: 'there is no such option' },
    ]);
  });

  it('is none where its value is undefined', () => {
    expect(findUnknownOptions({ cookieDomian: undefined, core: undefined }, known)).toEqual([]);
    expect(findUnknownOptions({ cookieDomian: null }, known)).toHaveLength(1);
  });

  it('is named with the object it stands in', () => {
    expect(findUnknownOptions({ core: 1, apiDomian: 1 }, ['core'], 'appInfo.')).toEqual([
      { path: 'appInfo.apiDomian', message: 'there is no such option' },
    ]);
  });
});
