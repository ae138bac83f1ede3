// What `@jest/globals` exports, for tests that run in Node itself. The definitions are those of Jest; runner.mjs runs them.
import { ModernFakeTimers } from '@jest/fake-timers';
import { jestExpect } from '@jest/expect';
import { ModuleMocker } from 'jest-mock';
import process from 'node:process';

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, test } from 'jest-circus';
export const expect = jestExpect;

const mocker = new ModuleMocker(globalThis);
const timers = new ModernFakeTimers({
  config: { fakeTimers: {}, rootDir: process.cwd() },
  global: globalThis,
});

const clockMethods = [
  'useRealTimers',
  'advanceTimersByTime',
  'advanceTimersByTimeAsync',
  'getTimerCount',
  'setSystemTime',
  'runAllTimersAsync',
  'runOnlyPendingTimersAsync',
];
/** Jest's environments have these of their own; here Node itself needs them. */
const NOT_FAKED = ['nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate', 'performance', 'hrtime'];

export const jest = {
  fn: mocker.fn.bind(mocker),
  spyOn: mocker.spyOn.bind(mocker),
  restoreAllMocks: mocker.restoreAllMocks.bind(mocker),
  doMock: () => {}, // tests that cannot do without it fail, and are left out
  useFakeTimers: ({ doNotFake = [], ...options } = {}) =>
    timers.useFakeTimers({ ...options, doNotFake: [...doNotFake, ...NOT_FAKED] }),
  ...Object.fromEntries(clockMethods.map((name) => [name, (...args) => timers[name](...args)])),
};
