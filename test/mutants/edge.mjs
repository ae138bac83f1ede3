// Bugs at the edge: origins, anti-CSRF, cookies, signatures, the guard, late responses. See list.mjs.
const CSRF = 'lib/http/csrf.ts';
const REFRESH_TOKEN = 'lib/tokens/refresh-token.ts';

/** @type {readonly import('./list.mjs').Mutant[]} */
export const EDGE_MUTANTS = [
  {
    name: 'no-origin-check-at-refresh',
    bug: 'a page of another site can refresh the session of its visitor',
    edits: [
      [
        'lib/sessions/refresh.ts',
        "    if (transferMethod === 'cookie') assertAllowedOrigin(request, config);\n",
        "    if (transferMethod === 'header') assertAllowedOrigin(request, config);\n",
      ],
    ],
    models: [],
    specs: ['test/e2e/foreign-origins', 'test/e2e/advisories/'],
  },
  {
    name: 'no-origin-check-at-verify',
    bug: 'a page of another site can call guarded routes with the cookies of its visitor',
    edits: [
      [
        'lib/http/presented-token.ts',
        'if (fromCookie !== undefined) assertAllowedOrigin(request, this.config);',
        'if (fromCookie === undefined) assertAllowedOrigin(request, this.config);',
      ],
    ],
    models: [],
    specs: ['test/e2e/foreign-origins', 'test/e2e/advisories/'],
  },
  {
    name: 'foreign-origin-by-prefix',
    bug: 'an origin counts as ours if it begins like it',
    edits: [
      [
        CSRF,
        '!config.allowedOrigins.includes(origin)',
        '!config.allowedOrigins.some((own) => origin.startsWith(own))',
      ],
    ],
    models: [],
    specs: ['lib/http/csrf', 'test/e2e/foreign-origins'],
  },
  {
    name: 'anti-csrf-for-no-post',
    bug: 'the anti-CSRF token is asked for at GET only',
    edits: [
      [CSRF, "(input.requested ?? input.method !== 'get')", "(input.requested ?? input.method === 'get')"],
    ],
    models: [],
    specs: ['lib/http/csrf', 'test/e2e/anti-csrf'],
  },
  {
    name: 'refresh-without-custom-header',
    bug: 'a refresh by cookie needs no rid header where the option asks for it',
    edits: [
      [
        CSRF,
        "return input.hasCustomHeader ? { disableAntiCsrf: true } : 'CUSTOM_HEADER_MISSING';",
        'return { disableAntiCsrf: true };',
      ],
    ],
    models: [],
    specs: ['lib/http/csrf', 'test/e2e/anti-csrf'],
  },
  {
    name: 'empty-secrets-are-equal',
    bug: 'a missing secret equals another missing one',
    edits: [['lib/util/safe-equal.ts', 'if (!a || !b) return false;', 'if (!a || !b) return a === b;']],
    models: [],
    specs: ['lib/util/safe-equal'],
  },
  {
    name: 'late-response-after-sign-out',
    bug: 'old code: a slow response brings the tokens of a session that has ended meanwhile',
    edits: [
      [
        'lib/http/token-transport.ts',
        '      this.ended.includes(sessionHandle) ||\n      this.departed.includesSince(mark, sessionHandle, subject) !== false;',
        '      this.ended.includes(sessionHandle) &&\n      mark < 0 &&\n      subject === undefined;',
      ],
    ],
    models: ['feed'],
    specs: ['test/e2e/late-responses'],
  },
  {
    name: 'cookies-for-scripts',
    bug: 'cookies are readable for scripts',
    edits: [['lib/http/cookies.ts', "    'HttpOnly',\n", '']],
    models: [],
    specs: ['lib/http/cookies'],
  },
  {
    name: 'cookies-without-secure',
    bug: 'cookies go over plain HTTP',
    edits: [
      [
        'lib/http/cookies.ts',
        "...(cookie.secure ? ['Secure'] : []),",
        "...(cookie.secure ? [] : ['Secure']),",
      ],
    ],
    models: [],
    specs: ['lib/http/cookies'],
  },
  {
    name: 'algorithm-of-the-token',
    bug: 'the token decides by which algorithm it is verified',
    edits: [
      [
        'lib/tokens/signature-verifier.ts',
        'if (imported === null || imported.algorithm !== algorithm) return false;',
        'if (imported === null) return false;',
      ],
    ],
    models: [],
    specs: ['lib/tokens/signature-verifier'],
  },
  {
    name: 'second-spelling-of-a-signature',
    bug: 'a signature has several spellings',
    edits: [
      [
        'lib/tokens/signature-verifier.ts',
        'return signature.toString(alphabet) === spelled ? signature : undefined;',
        'return signature.length > 0 ? signature : undefined;',
      ],
    ],
    models: [],
    specs: ['lib/tokens/signature-verifier'],
  },
  {
    name: 'refresh-token-not-authentic',
    bug: 'the tag of a refresh token is not checked',
    edits: [[REFRESH_TOKEN, '      decipher.final(); // checks the tag; in this mode no byte is left\n', '']],
    models: [],
    specs: ['lib/tokens/refresh-token'],
  },
  {
    name: 'nonce-not-compared',
    bug: 'the nonce beside a refresh token may be any',
    edits: [[REFRESH_TOKEN, 'return content?.nonce === nonce ? content : undefined;', 'return content;']],
    models: [],
    specs: ['lib/tokens/refresh-token'],
  },
  {
    name: 'guard-opens-without-session',
    bug: 'a guarded route opens to requests without a session',
    edits: [
      [
        'lib/sessions/session-runtime.ts',
        'return session === undefined && sessionRequired !== false;',
        'return session === undefined && sessionRequired === true;',
      ],
      [
        'lib/sessions/session-proofs.ts',
        'if (options.sessionRequired === false) return undefined;',
        'if (options.sessionRequired !== true) return undefined;',
      ],
    ],
    models: [],
    specs: ['test/e2e/verify-session', 'test/e2e/guard-and-decorators'],
  },
  {
    name: 'guard-passes-unknown-contexts',
    bug: 'a guard passes a call of a kind that it does not know',
    edits: [
      [
        'lib/session.guard.ts',
        "        throw unknownContext(type, 'extend it and override getRequestAndResponse');",
        '        return { req: {}, res: {} };',
      ],
    ],
    models: [],
    specs: ['test/e2e/guard-failures', 'test/e2e/guard-and-decorators'],
  },
  {
    name: 'token-by-other-key-kind',
    bug: 'a token that the other kind of key signed counts',
    edits: [
      [
        'lib/sessions/session-proofs.ts',
        '    if (version <= 2) return;\n',
        '    if (version <= 5) return;\n',
      ],
    ],
    models: [],
    specs: ['test/e2e/keys-and-versions'],
  },
];
