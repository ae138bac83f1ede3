import { beforeAll, describe, expect, it } from '@jest/globals';
import { compactVerify } from 'jose';
import { TestKeySet } from '../../test/fixtures/key-set.js';
import { ODD_TOKEN_KEYS, oddTokens } from '../../test/fixtures/odd-tokens.js';
import { parseWithoutVerifying } from './access-token.js';
import { SignatureVerifier } from './signature-verifier.js';

interface Difference {
  readonly acceptedBy: 'this library' | 'jose';
  readonly because: string;
  /** Matches whole names. */
  readonly tokens: RegExp;
}

/** The only tokens on which the two may disagree. Each is signed by a published key, or jose would refuse it. */
const DIFFERENCES: readonly Difference[] = [
  {
    acceptedBy: 'this library',
    because: 'up to version 2 an access token is in standard base64, and so is no JWS',
    tokens: /version 2: of version [12]/,
  },
  {
    acceptedBy: 'this library',
    because:
      'a Core reads either alphabet; the signature covers the text as it is sent, so nobody else can spell it so',
    tokens: /spelling: (header|payload) (in standard base64|in standard base64 without padding), .*/,
  },
  {
    acceptedBy: 'this library',
    because:
      'Buffer ignores what is no base64; the signature covers the text as it is sent, so nobody else can add it',
    tokens:
      /spelling: (header|payload) with (three padding characters|an exclamation mark inside|a null character behind), .*|spelling: header with (one padding character|a lone character behind), ES256/,
  },
  {
    acceptedBy: 'this library',
    because: 'bytes that are no UTF-8 are read as U+FFFD, in header members that have no meaning here',
    tokens: /header JSON: (in Latin-1|with broken UTF-8), .*/,
  },
  {
    acceptedBy: 'jose',
    because: 'jose understands the extension b64; no access token has extensions, so any crit is refused',
    tokens:
      /crit: \{"crit":\["b64"(,"b64")?\],"b64":true\}, .*|b64: false, payload (in plain text|encoded), .*/,
  },
  {
    acceptedBy: 'jose',
    because: 'the typ of an access token is JWT, to the letter (RFC 8725 3.11)',
    tokens: /typ: .*|header JSON: with typ JWE behind, .*/,
  },
  {
    acceptedBy: 'jose',
    because: 'the version of an access token is a text of digits and at least 3, or missing',
    tokens:
      /version: (missing|"(1|2|9999999999|0|-1|5\.0|5 | 5|1e1|v5|٥||NaN)"|null|5|2|0|true|\["5"\]|\{\}), .*|header JSON: with version 2 behind, .*/,
  },
  {
    acceptedBy: 'jose',
    because:
      'a signature has one spelling here; else a token had many, which a cache or a deny list would not know',
    tokens:
      /signature: with (two padding characters|unused bits \d+|"(\\n|\\r\\n|\\t| )" (inside|behind|before)), .*|segments: with a line break behind, .*/,
  },
  {
    acceptedBy: 'jose',
    because: 'a JWS may carry anything, an access token carries one JSON object',
    tokens:
      /(header|payload) JSON: with a byte order mark, .*|payload JSON: (with (a trailing comma|a comment|single quotes|NaN|Infinity|a leading zero|a plus sign|a raw control character)|in UTF-16|cut off|followed by another object|in a list|as a text|empty|an empty object|null|a number|a list), .*|spelling: payload (with a lone character behind|in hexadecimal|in upper case), .*/,
  },
  {
    acceptedBy: 'jose',
    because: 'a token longer than 16,384 characters is not looked at',
    tokens: /(header|payload) JSON: with 16,000 characters more, .*/,
  },
  {
    acceptedBy: 'jose',
    because: 'an access token has these claims, of these types',
    tokens:
      /claims: (exp|iat|sub|rsub|sessionHandle|refreshTokenHash1) .*|version 2: claims of version 2 in a token of version 5/,
  },
  {
    acceptedBy: 'jose',
    because: 'stt marks tokens of the OAuth2 provider, which are no session tokens',
    tokens: /claims: stt .*|payload JSON: with stt 1 (before|behind), .*/,
  },
  {
    acceptedBy: 'jose',
    because:
      'a key on P-256 counts only where it names ES256, because a set may hold keys for other purposes',
    tokens: /published key: ec-without-alg, ES256/,
  },
];

interface Outcome {
  readonly name: string;
  readonly here: boolean;
  readonly jose: boolean;
}

const verifier = new SignatureVerifier(new TestKeySet(ODD_TOKEN_KEYS));

async function isAcceptedHere(token: string): Promise<boolean> {
  const parsed = parseWithoutVerifying(token);
  return parsed !== undefined && (await verifier.verify(parsed)) === 'PROVEN';
}

async function isAcceptedByJose(token: string): Promise<boolean> {
  const findKey = ({ kid }: { kid?: string }): (typeof ODD_TOKEN_KEYS)[number] => {
    const key = ODD_TOKEN_KEYS.find((each) => each.kid === kid);
    if (key === undefined) throw new Error('unknown key');
    return key;
  };
  return compactVerify(token, findKey, { algorithms: ['RS256', 'ES256'] }).then(
    () => true,
    () => false,
  );
}

describe('odd tokens, checked here and by jose', () => {
  const outcomes: Outcome[] = [];

  beforeAll(async () => {
    outcomes.length = 0;
    for (const { name, token } of oddTokens()) {
      outcomes.push({
        name,
        here: await isAcceptedHere(token),
        jose: await isAcceptedByJose(token),
      });
    }
  });

  function explains({ acceptedBy, tokens }: Difference, { name, here }: Outcome): boolean {
    const isWhole = tokens.exec(name)?.[0] === name;
    return isWhole && here === (acceptedBy === 'this library');
  }

  it('are at least 480, each with a name of its own', () => {
    const names = new Set(outcomes.map(({ name }) => name));
    expect(names.size).toBe(outcomes.length);
    expect(names.size).toBeGreaterThanOrEqual(480);
  });

  it('have the same outcome, but for the listed differences (S002, S003, S004)', () => {
    const unexplained = outcomes.filter(
      (outcome) =>
        outcome.here !== outcome.jose && !DIFFERENCES.some((difference) => explains(difference, outcome)),
    );
    expect(unexplained).toEqual([]);
  });

  it.each(DIFFERENCES)('differ where $acceptedBy accepts: $because', (difference) => {
    const found = outcomes.filter(
      (outcome) => outcome.here !== outcome.jose && explains(difference, outcome),
    );
    expect(found.length).toBeGreaterThan(0);
  });

  it('are accepted where they are only unusual', () => {
    const accepted = (name: string): boolean | undefined =>
      outcomes.find((outcome) => outcome.name === name)?.here;
    expect(accepted('signature: good, RS256')).toBe(true);
    expect(accepted('signature: good, ES256')).toBe(true);
    expect(accepted('ECDSA: s negated, which is another signature of the same')).toBe(true);
    expect(accepted('published key: rsa-without-alg, RS256')).toBe(true);
    expect(accepted('embedded key: jwk of an attacker, RS256')).toBe(true);
    expect(accepted('embedded key: jwk of an attacker, signed by the attacker, RS256')).toBe(false);
  });

  it.each(['algorithm', 'HMAC', 'RSA', 'signature'])(
    'of the group %s are all refused, but for the good one',
    (group) => {
      const accepted = outcomes.filter(({ name, here }) => here && name.startsWith(`${group}: `));
      const good = /^(algorithm: "(RS256", RS256|ES256", ES256)|signature: good, (RS|ES)256)$/;
      expect(accepted.map(({ name }) => name).filter((name) => !good.test(name))).toEqual([]);
    },
  );
});
