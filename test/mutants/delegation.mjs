// Bugs in sessions that belong to others: who holds them, when they end, how often a token is good. See list.mjs.

/** @type {readonly import('./list.mjs').Mutant[]} */
export const DELEGATION_MUTANTS = [
  {
    name: 'delegated-outlives-its-parent',
    bug: 'a session goes on being refreshed after the process that ended its parent has stopped',
    edits: [
      [
        'lib/sessions/parent-sessions.ts',
        'if (!isOver && (await hasLivingParents(core, session.userDataInJWT))) return;',
        'if (!isOver) return;',
      ],
    ],
    models: [],
    specs: ['test/sessions/impersonation'],
  },
  {
    name: 'delegated-actor-from-the-payload',
    bug: 'a payload can name an actor, and take the actor of a session away',
    edits: [['lib/sessions/session-lifetimes.ts', 'new Set([...DELEGATION_NAMES, ', 'new Set([']],
    models: [],
    specs: ['test/sessions/impersonation'],
  },
  {
    name: 'delegated-child-fetches-claims',
    bug: 'a narrow session gets the claims that it was not given, as soon as a route asks for them',
    edits: [
      ['lib/claims/validate-claims.ts', 'if (isNarrow(payload)) return payload;', 'isNarrow(payload);'],
    ],
    models: [],
    specs: ['test/sessions/child-sessions'],
  },
  {
    name: 'delegated-token-used-twice',
    bug: 'a hand-over token that comes twice at once opens two sessions',
    edits: [
      [
        'lib/sessions/delegated.ts',
        'if (!(await use())) throw',
        'if (!(await use()) && handOvers === undefined) throw',
      ],
    ],
    models: [],
    specs: ['test/sessions/hand-over'],
  },
];
