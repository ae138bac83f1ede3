// Runs tests of one spec file with the hooks around them, and stops at the first that fails.
import process from 'node:process';
import { jestExpect as expect } from '@jest/expect';

const { setTimeout, clearTimeout } = globalThis;

export class TestTimeout extends Error {}

/**
 * @param {readonly import('./definitions.mjs').Test[]} tests of one file, in the order of their definition
 * @param {{ limitMs: (test: object) => number, began?: (scope: object) => void, ended?: (test: object, ms: number, error: unknown) => void,
 *   isOver?: () => boolean }} watch
 * @returns {Promise<{ test: object, error: unknown } | undefined>} the first failure
 */
export async function execute(tests, watch) {
  const open = [];
  let failure;
  const fail = (test, error) => (failure ??= { test, error });
  const close = async (test, depth) => {
    while (open.length > depth) {
      const block = open.pop();
      watch.began?.(block);
      for (const { fn } of hooksOf(block, 'afterAll').toReversed()) {
        await limited(fn, 20_000).catch((error) => fail(test, error));
      }
    }
  };
  let last;
  for (const test of tests) {
    if (failure !== undefined || watch.isOver?.()) break;
    let shared = 0;
    while (shared < open.length && open[shared] === test.blocks[shared]) shared += 1;
    await close(last ?? test, shared);
    last = test;
    for (const block of test.blocks.slice(shared)) {
      open.push(block);
      watch.began?.(block);
      for (const { fn } of hooksOf(block, 'beforeAll')) {
        if (failure === undefined) await limited(fn, 20_000).catch((error) => fail(test, error));
      }
    }
    if (failure !== undefined) break;
    const began = process.cpuUsage();
    watch.began?.(test);
    const error = await failureOf(test, watch.limitMs(test));
    watch.ended?.(test, cpuMs(process.cpuUsage(began)), error);
    if (error !== undefined) fail(test, error);
  }
  if (last !== undefined) await close(last, 0);
  return failure;
}

/** A test counts by its CPU time, because with other work on the machine the time of day says little. */
function cpuMs({ user, system }) {
  return (user + system) / 1000;
}

async function failureOf(test, limitMs) {
  let failure;
  const attempt = async (fn, ms = limitMs) => {
    try {
      await limited(fn, ms);
    } catch (error) {
      failure ??= error ?? new Error('something was thrown');
    }
  };
  expect.setState({
    assertionCalls: 0,
    expectedAssertionsNumber: null,
    isExpectingAssertions: false,
    suppressedErrors: [],
    currentTestName: test.name,
  });
  for (const block of test.blocks)
    for (const { fn } of hooksOf(block, 'beforeEach')) if (failure === undefined) await attempt(fn);
  if (failure === undefined) await attempt(test.definition.fn);
  const [unmet] = expect.extractExpectedAssertionsErrors();
  if (unmet !== undefined) failure ??= unmet.error;
  for (const block of test.blocks.toReversed())
    for (const { fn } of hooksOf(block, 'afterEach')) await attempt(fn);
  return failure;
}

function hooksOf(block, type) {
  return block.hooks.filter((hook) => hook.type === type);
}

/** The part of a limit that is counted at once. */
const STEP_MS = 100;

/**
 * Calls a function, and rejects if its promise takes longer. The limit is counted in steps of this process, so that a machine with
 * other work, which keeps the process waiting, does not make a test look endless.
 */
async function limited(fn, ms) {
  let timer;
  const limit = new Promise((_, reject) => {
    const wait = (leftMs) => {
      if (leftMs <= 0) return reject(new TestTimeout(`it does not end within ${ms} ms`));
      timer = setTimeout(() => wait(leftMs - STEP_MS), Math.min(STEP_MS, leftMs));
    };
    wait(ms);
  });
  try {
    await Promise.race([fn.call({}), limit]);
  } finally {
    clearTimeout(timer);
  }
}
