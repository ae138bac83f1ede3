import { describe, expect, it } from '@jest/globals';
import { parseWithoutVerifying } from './access-token.js';
import { WEB_RUNTIME } from './web-runtime.js';
import { V5_CLAIMS, V5_HEADER } from '../../test/fixtures/made-tokens.js';

const ODD_CHARACTERS = [
  '=',
  '-',
  '_',
  '+',
  '/',
  'A',
  'z',
  '9',
  ' ',
  '\n',
  '!',
  '\0',
  'é',
  'Ā',
  '漢',
  '\u{1F600}',
  '\uD800',
];

/** Numbers that are the same in each run. */
function* numbers(): Generator<number> {
  for (let seed = 1; ; seed = (seed * 48_271) % 2_147_483_647) yield seed;
}

describe('base64 without Node', () => {
  it('is read as Node reads it, whatever stands in it', () => {
    const next = numbers();
    const random = (below: number): number => (next.next().value as number) % below;
    const different: string[] = [];
    let parsed = 0;
    for (let n = 0; n < 3000; n++) {
      const claims = { ...V5_CLAIMS, name: ODD_CHARACTERS.slice(0, random(17)).join('') };
      const parts = [V5_HEADER, claims].map((part) =>
        Buffer.from(JSON.stringify(part)).toString(n % 2 === 0 ? 'base64url' : 'base64'),
      );
      const text = [...parts, 'c2ln'].join('.');
      const at = random(text.length);
      const odd = Array.from({ length: random(3) }, () => ODD_CHARACTERS[random(ODD_CHARACTERS.length)]).join(
        '',
      );
      const token = text.slice(0, at) + odd + text.slice(at + random(2));
      const [expected, found] = [parseWithoutVerifying(token), WEB_RUNTIME.parse(token)];
      if (JSON.stringify(expected) !== JSON.stringify(found)) different.push(token);
      if (found !== undefined) parsed++;
    }
    expect(different).toEqual([]);
    expect(parsed).toBeGreaterThan(300);
  });
});
