import { text } from '../options/option-checks.js';
import type { Check } from '../options/option-table.js';

/** Accepts an address of HTTP. */
export const webAddress: Check<string> = text((given) => {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw new Error('an address with http:// or https:// and without a password is expected');
  return url.href;
});
