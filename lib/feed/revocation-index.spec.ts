import { describe, expect, it } from '@jest/globals';
import { RevocationIndex } from './revocation-index.js';

const NOW = 1_760_000_000_000;
const UNTIL = NOW + 3_600_000;
const TOKEN = {
  sessionHandle: 'h',
  userId: 'u',
  recipeUserId: 'u',
  tenantId: 'public',
  timeCreatedMs: NOW - 1000,
};

function cutOff(notBeforeMs: number) {
  return { kind: 'user' as const, id: 'u', tenantId: undefined, notBeforeMs, untilMs: UNTIL };
}

describe('a response about a session', () => {
  it('counts against the cut-offs before its question, and not against one that came while it was under way', () => {
    const index = new RevocationIndex(1000);
    index.add([cutOff(NOW)], NOW);
    const asked = index.age;
    index.noteState('h', true, UNTIL, asked);
    expect(index.judge(TOKEN)).toBe('valid');

    const askedAgain = index.age;
    index.add([cutOff(NOW + 1)], NOW + 1);
    index.noteState('h', true, UNTIL, askedAgain);
    expect(index.judge(TOKEN)).toBe('ask');
  });

  it('that ends with another one is needed after each cut-off, whomever it is about and whenever the token was issued', () => {
    const index = new RevocationIndex(1000);
    const child = {
      ...TOKEN,
      userId: 'other',
      recipeUserId: 'other',
      timeCreatedMs: UNTIL,
      payload: { session_parent: { handles: ['p'] } },
    };
    expect(index.judge(child)).toBe('valid');
    index.add([cutOff(NOW)], NOW);
    expect(index.judge({ ...child, payload: {} })).toBe('valid');
    expect(index.judge(child)).toBe('ask');
    index.noteState('h', true, UNTIL, index.age);
    expect(index.judge(child)).toBe('valid');
    index.add([cutOff(NOW + 1)], NOW + 1);
    expect(index.judge(child)).toBe('ask');
  });
});
