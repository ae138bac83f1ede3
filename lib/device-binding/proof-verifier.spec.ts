import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { oddProofs, type OddProof } from '../../test/fixtures/odd-proofs.js';
import { ProofVerifier } from './proof-verifier.js';
import type { ProofAlgorithm, VerifiedProof } from './proof.js';

const ALGORITHMS: readonly ProofAlgorithm[] = ['ES256', 'RS256', 'EdDSA'];

/** The proof that was accepted, or kind and message of the error. */
type Verdict = VerifiedProof | string;

interface Outcome {
  readonly name: string;
  /** Of a verifier that has seen no proof. */
  readonly first: Verdict;
  /** Of a verifier that has seen good proofs, one with the same header among them. */
  readonly next: Verdict;
  /** True where jose judged the first one, and `node:crypto` alone the next one. */
  readonly isByBoth: boolean;
}

function toRefusal(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Returns the verdict, and no promise where the verifier returns none. */
function judge(verifier: ProofVerifier, proof: string, jkt?: string): Verdict | Promise<Verdict> {
  try {
    const verified = verifier.verify(proof, jkt);
    return verified instanceof Promise ? verified.catch(toRefusal) : verified;
  } catch (error) {
    return toRefusal(error);
  }
}

describe('odd proofs, by a key that is new and by one that is known', () => {
  const outcomes: Outcome[] = [];
  const knowing = new ProofVerifier(ALGORITHMS);

  async function compare({ name, proof, forerunner, jkt }: OddProof): Promise<Outcome> {
    const first = judge(new ProofVerifier(ALGORITHMS), proof, jkt);
    await judge(knowing, forerunner);
    const next = judge(knowing, proof, jkt);
    const isByBoth = first instanceof Promise && !(next instanceof Promise);
    return { name, first: await first, next: await next, isByBoth };
  }

  beforeAll(async () => {
    outcomes.length = 0;
    for (const odd of oddProofs()) outcomes.push(await compare(odd));
  });

  function acceptedOf(group: string): string[] {
    const prefix = `${group}: `;
    return outcomes
      .filter(({ name, next }) => typeof next !== 'string' && name.startsWith(prefix))
      .map(({ name }) => name.slice(prefix.length));
  }

  it('are at least 1,200, each with a name of its own', () => {
    const names = new Set(outcomes.map(({ name }) => name));
    expect(names.size).toBe(outcomes.length);
    expect(names.size).toBeGreaterThanOrEqual(1200);
  });

  it('have the same verdict, and are refused for the same reason (S110)', () => {
    expect(outcomes.filter(({ first, next }) => !isDeepStrictEqual(first, next))).toEqual([]);
  });

  it.each(ALGORITHMS)(
    'are judged by jose once and by node:crypto once where the header is good: %s',
    (alg) => {
      const names = outcomes.filter(({ name, isByBoth }) => isByBoth && name.endsWith(`, ${alg}`));
      expect(names.length).toBeGreaterThanOrEqual(100);
    },
  );

  it('are refused as proofs, never by an error of a library', () => {
    const refusals = outcomes.map(({ next }) => next).filter((next) => typeof next === 'string');
    expect(refusals.filter((refusal) => !/^(Proof|OtherKey)Error: /.test(refusal))).toEqual([]);
  });

  it.each([
    ['algorithm', /^"(\w+)", \1$/],
    ['header', /^(kid|jku|x5u|x5c|cty|enc|nonce) /],
    ['signature', /^(good|s negated, which is another signature of the same), /],
    ['segments', /^(?!)/],
    ['spelling', /^(header|payload) (with padding|with unused bits|with bits left over), /],
    ['EC key', /^(?!)/],
    ['expected key', /any is good, /],
  ])('of the group %s are all refused, but for the good ones', (group, good) => {
    expect(acceptedOf(group).filter((name) => !good.test(name))).toEqual([]);
  });

  it('are accepted where they are only unusual', () => {
    expect(acceptedOf('signature')).toEqual(expect.arrayContaining(ALGORITHMS.map((alg) => `good, ${alg}`)));
    expect(acceptedOf('header')).toEqual(expect.arrayContaining(ALGORITHMS.map((alg) => `kid "k", ${alg}`)));
    expect(acceptedOf('key')).toContain('with its members in another order, ES256');
    expect(acceptedOf('payload JSON')).toContain('with unicode, EdDSA');
  });
});
