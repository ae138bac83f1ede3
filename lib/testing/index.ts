// Where a test application begins
export { overrideSessions, type ProviderOverrides } from './override-sessions.js';
export { SessionTestingModule, type SessionTestingModuleOptions } from './session-testing.module.js';
export type { SessionTestingOptions } from './testing-options.js';

// Sessions and clients
export {
  TestSessions,
  testSessions,
  type TestSessionInput,
  type TestSessionsOptions,
} from './test-sessions.js';
export { StolenSession, TestSession } from './test-session.js';
export {
  TestAgent,
  type TestAgentOptions,
  type ForeignResponse,
  type TestResponse,
  type TestRequest,
} from './test-agent.js';

export type { StubClaims } from './test-claims.js';

// Time
export { TestClock } from './test-clock.js';
