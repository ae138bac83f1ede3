// The code that is mutated, and the tests that have to find it: the nearest ones of each group. More tests take longer, and can only find more.
const E2E = 'test/e2e';

/** @type {Readonly<Record<string, { mutate: readonly string[], specs: readonly string[] }>>} */
export const GROUPS = {
  guard: {
    mutate: ['lib/session.guard.ts', 'lib/sessions/verify.ts', 'lib/sessions/session-proofs.ts'],
    specs: [
      'test/sessions/{remembered-tokens,replacing-defaults,without-request,wrong-inputs,device-writes,revocation-feed}.spec.ts',
      'test/device-binding/{dbsc,dpop,dpop-modules}.e2e-spec.ts',
      `${E2E}/{guard-and-decorators,guard-at-once,guard-failures,verify-session,anti-csrf,foreign-origins,foreign-bearers,shared-questions,keys-and-versions}.e2e-spec.ts`,
      `${E2E}/events/{rate-limits.e2e-spec,telemetry.spec}.ts`,
      `${E2E}/rules/{public-handlers,foreign-filters}.e2e-spec.ts`,
      `${E2E}/transports/{composing,microservices}.e2e-spec.ts`,
    ],
  },
  refresh: {
    mutate: ['lib/sessions/refresh.ts', 'lib/sessions/refresh-decisions.ts'],
    specs: [
      'test/sessions/{refresh-and-core,without-request,replacing-defaults,wrong-inputs}.spec.ts',
      'test/sessions/access-token-validity.e2e-spec.ts',
      'test/device-binding/{dbsc,dbsc-release,risk-signals}.e2e-spec.ts',
      'test/core/remote/application-on-5-6.e2e-spec.ts',
      `${E2E}/{refresh,refresh-options,anti-csrf,foreign-origins,keys-and-versions,error-handlers}.e2e-spec.ts`,
      `${E2E}/{older-cookies,foreign-bearers,late-responses,store-failure,after-the-headers}.e2e-spec.ts`,
      `${E2E}/lifetimes/{refresh-decisions,devices}.e2e-spec.ts`,
      `${E2E}/events/rate-limits.e2e-spec.ts`,
      `${E2E}/advisories/counted-attempts.e2e-spec.ts`,
    ],
  },
  rotation: {
    mutate: [
      'lib/core/embedded/{rotation,rotation-parts,rotation-at-once,refresh-rotation,at-once-decisions}.ts',
    ],
    specs: [
      'test/core/embedded/{refresh-rotation,rotation-at-once,mixed-theft,embedded-core.refresh,embedded-core.verify,embedded-core.data,embedded-core.create}.spec.ts',
    ],
  },
  tokens: {
    mutate: ['lib/tokens/*.ts', '!lib/tokens/*.spec.ts'],
    specs: [
      'lib/tokens/*.spec.ts',
      'test/core/embedded/{access-tokens,embedded-core.create,embedded-core.verify,key-encryption,refresh-rotation}.spec.ts',
      'test/core/remote/cdi-responses.spec.ts',
      'test/sessions/remembered-tokens.spec.ts',
      'test/verify/odd-tokens.spec.ts',
    ],
  },
  http: {
    mutate: ['lib/http/*.ts', '!lib/http/*.spec.ts'],
    specs: [
      'lib/http/*.spec.ts',
      'test/http/*.spec.ts',
      'test/standalone/requests.spec.ts',
      `${E2E}/{anti-csrf,foreign-origins,routes,routes-and-bodies,request-targets,create-session,transfer-methods}.e2e-spec.ts`,
      `${E2E}/{forced-sign-in,late-responses,after-the-headers,older-cookies,login-with-foreign-cookies,response-headers,cors}.e2e-spec.ts`,
    ],
  },
};
