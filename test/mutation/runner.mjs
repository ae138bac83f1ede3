// The tests as a test runner of Stryker: they are loaded once into one process of Node, and a mutant is a number that is set before they run.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { commonTokens, declareFactoryPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin';
import { glob } from 'tinyglobby';
import { definedTests } from './definitions.mjs';
import { execute, TestTimeout } from './execution.mjs';

/** The instrumented code and Stryker share a global object of this name. */
const NAMESPACE = '__stryker__';
const BETWEEN_TESTS = 'between tests';
/** The tests of a file that found its latest mutants are tried first. */
const MAX_FINDERS = 6;
const FOLDER = 'build/mutation';
/** With more tests left out than this, what is not found would say more about the runner than about the tests. */
const MAX_SHARE_LEFT_OUT = 0.1;

class SpecRunner {
  #options;
  #tests;
  #times;
  /** Tests that found mutants of a file, the latest first. */
  #finders = new Map();
  /** Whether a test that did not end may disturb those after it. */
  #isSpoilt = false;
  /** An error that no test has caught. */
  #stray;
  #isDry = false;
  #leftOut;

  constructor(options) {
    this.#options = options.specs;
    this.#times = new Map(kept('times', []));
    this.#leftOut = new Set(kept('left-out', []));
  }

  capabilities() {
    return { reloadEnvironment: false };
  }

  /** Runs every test once, and notes which mutants it reaches. */
  async dryRun() {
    this.#isDry = true;
    const stryker = (globalThis[NAMESPACE] = {});
    await this.#load();
    const results = [];
    const blockIds = new Map();
    stryker.currentTestId = BETWEEN_TESTS;
    const watch = {
      limitMs: () => 60_000,
      began: (scope) => (stryker.currentTestId = scopeId(scope, blockIds)),
      ended: (test, ms, error) => {
        this.#times.set(test.id, ms);
        if (error === undefined) results.push(passed(test, ms));
        else this.#leaveOut(test.id, error);
        stryker.currentTestId = BETWEEN_TESTS;
      },
    };
    for (const tests of byFile(this.#tests)) {
      for (let remaining = tests; remaining.length > 0;) {
        const failure = await execute(remaining, watch);
        if (failure === undefined) break;
        this.#leaveOut(failure.test.id, failure.error);
        remaining = remaining.slice(remaining.indexOf(failure.test) + 1);
      }
    }
    const { mutantCoverage = { static: {}, perTest: {} } } = stryker;
    spreadOverTests(mutantCoverage, blockIds, this.#tests);
    for (const id of this.#leftOut) delete mutantCoverage.perTest[id];
    if (this.#leftOut.size > MAX_SHARE_LEFT_OUT * this.#tests.length) {
      const errorMessage = `${this.#leftOut.size} of ${this.#tests.length} tests do not run outside of Jest: the group would say little`;
      return { status: 'error', errorMessage };
    }
    keep('times', [...this.#times]);
    keep('left-out', [...this.#leftOut]);
    return { status: 'complete', tests: results.filter(({ id }) => !this.#leftOut.has(id)), mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit }) {
    if (this.#isSpoilt) process.exit(1); // Stryker starts another process and asks again
    const stryker = (globalThis[NAMESPACE] ??= {});
    stryker.currentTestId = undefined;
    await this.#load();
    const wanted = new Set(testFilter);
    const tests = this.#tests.filter(({ id }) => wanted.has(id));
    const finders = this.#finders.get(activeMutant.fileName) ?? [];
    const cpu = process.cpuUsage();
    const isOver = () => process.cpuUsage(cpu).user / 1000 > this.#options.budgetMs;
    let count = 0;
    const watch = { limitMs: (test) => this.#limitMs(test), ended: () => (count += 1), isOver };
    for (const group of inGoodOrder(tests, finders, this.#times)) {
      const { test, error, isEndless } = await this.#runWith(
        stryker,
        activeMutant.id,
        hitLimit,
        group,
        watch,
      );
      if (isEndless) return { status: 'timeout', reason: `Hit limit reached (${hitLimit})` };
      if (error !== undefined) {
        if (error instanceof TestTimeout) this.#isSpoilt = true;
        await this.#confirmHealth(test);
        const earlier = finders.filter((each) => each !== test);
        this.#finders.set(activeMutant.fileName, [test, ...earlier].slice(0, MAX_FINDERS));
        const failureMessage = String(error?.message ?? error).slice(0, 600);
        return { status: 'killed', killedBy: [test.id], failureMessage, nrOfTests: count };
      }
      if (isOver()) break;
    }
    return { status: 'survived', nrOfTests: count };
  }

  /** Runs tests with a mutant. An error that no test caught counts if it comes again. */
  async #runWith(stryker, id, hitLimit, tests, watch) {
    for (let attempt = 1; ; attempt++) {
      Object.assign(stryker, {
        activeMutant: id,
        hitCount: hitLimit === undefined ? undefined : 0,
        hitLimit,
      });
      this.#stray = undefined;
      const failure = await execute(tests, watch);
      const isEndless = stryker.hitCount > hitLimit;
      Object.assign(stryker, { activeMutant: undefined, hitCount: undefined });
      if (failure !== undefined || this.#stray === undefined || isEndless) return { ...failure, isEndless };
      if (attempt === 2) return { test: tests.at(-1), error: this.#stray, isEndless };
    }
  }

  #limitMs({ id }) {
    return 3000 + 10 * (this.#times.get(id) ?? 1000);
  }

  /** Throws if a test fails, or takes long, without a mutant: one before may have left this process in disorder. */
  async #confirmHealth(test) {
    if ((await execute([test], { limitMs: (each) => this.#limitMs(each) })) === undefined) return;
    this.#isSpoilt = true;
    throw new Error(`${test.id} fails without a mutant`);
  }

  /** A test that fails without a mutant finds none. */
  #leaveOut(id, error) {
    this.#leftOut.add(id);
    process.stderr.write(
      `left out, does not run outside of Jest: ${id}: ${String(error).split('\n', 1)[0]}\n`,
    );
  }

  async #load() {
    if (this.#tests !== undefined) return;
    const note = (error) => (this.#stray ??= error ?? new Error('Something was thrown'));
    process.on('unhandledRejection', note).on('uncaughtException', note);
    // All files share one module registry here, as those of a group in test/together/ do.
    globalThis.specFiles ??= { running: '', atTop: () => {} };
    await import(pathToFileURL(resolve('test/support/setup.js')).href);
    const { addHooksOfFile } = await import(pathToFileURL(resolve('test/support/hooks-of-file.js')).href);
    const files = await glob(this.#options.files, { absolute: true });
    const refuse = (file, error) => {
      if (this.#isDry) this.#leaveOut(file, error);
      else if (!this.#leftOut.has(file)) throw error;
    };
    this.#tests = (await definedTests(files.sort(), refuse, addHooksOfFile)).filter(
      ({ id }) => !this.#leftOut.has(id),
    );
  }
}

/** The notes that the process of the dry run leaves for those after it, in Stryker's copy of the project. */
function kept(name, otherwise) {
  try {
    return JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));
  } catch {
    return otherwise; // the dry run has not been
  }
}

function keep(name, value) {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${name}.json`), JSON.stringify(value));
}

function scopeId(scope, blockIds) {
  if (scope.id !== undefined) return scope.id;
  if (!blockIds.has(scope)) blockIds.set(scope, `block ${blockIds.size}`);
  return blockIds.get(scope);
}

/** Code that the hooks around all tests of a block reach counts for each of its tests. */
function spreadOverTests(coverage, blockIds, tests) {
  delete coverage.perTest[BETWEEN_TESTS];
  for (const [block, id] of blockIds) {
    const counts = coverage.perTest[id] ?? {};
    delete coverage.perTest[id];
    for (const test of tests.filter(({ blocks }) => blocks.includes(block))) {
      const own = (coverage.perTest[test.id] ??= {});
      for (const [mutant, count] of Object.entries(counts)) own[mutant] = (own[mutant] ?? 0) + count;
    }
  }
}

function byFile(tests) {
  const groups = new Map();
  for (const test of tests) groups.set(test.file, [...(groups.get(test.file) ?? []), test]);
  return [...groups.values()];
}

/**
 * Those that found neighbours first, then the quickest. A test behind a `beforeAll` runs with the others of its file, so that the hook runs
 * once.
 */
function inGoodOrder(tests, finders, times) {
  const first = finders.filter((test) => tests.includes(test));
  const others = tests.filter((test) => !first.includes(test));
  const isAlone = ({ blocks }) => !blocks.some(({ hooks }) => hooks.some(({ type }) => type === 'beforeAll'));
  const groups = [
    ...others.filter(isAlone).map((test) => [test]),
    ...byFile(others.filter((test) => !isAlone(test))),
  ];
  const cost = (group) => group.reduce((sum, { id }) => sum + (times.get(id) ?? 100), 0) / group.length;
  return [...first.map((test) => [test]), ...groups.sort((a, b) => cost(a) - cost(b))];
}

function passed({ id, name, file }, ms) {
  return { id, name, fileName: file, timeSpentMs: ms, status: 0 };
}

function createRunner(options) {
  return new SpecRunner(options);
}
createRunner.inject = tokens(commonTokens.options);

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'specs', createRunner)];
