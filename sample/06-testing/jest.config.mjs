/** Transpiles with swc, keeping decorator metadata: Nest injects by it. */
const typescript = {
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
  module: { type: 'es6' },
};

export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/*.e2e-spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', typescript],
    // Fastify's inject requires an ES module, which Jest can do from Node 24.9 on; before, it is made a CommonJS one.
    '/cookie/.+\\.js$': ['@swc/jest', { module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: ['/node_modules/(?!(.*/)?cookie/)'],
  moduleNameMapper: {
    // In your project these come from node_modules, and need no line here.
    '^nest-sessions$': '<rootDir>/../../lib/index.ts',
    '^nest-sessions/core$': '<rootDir>/../../lib/core/index.ts',
    '^nest-sessions/testing$': '<rootDir>/../../lib/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};
