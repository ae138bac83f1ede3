/** The end of the name of a skipped suite whose reason is to be printed (test/support/postgres.ts). */
const REASON = /\[SKIPPED: (.*)\]$/;

/** The name of a block that holds the tests of a file, where files run together (test/together). */
const SPEC_FILE = /\.(e2e-)?spec\.ts$/;

/** Ends a run with one line for each reason for which suites were skipped, however many files they are in. */
export default class SkippedReporter {
  onRunComplete(_contexts, { testResults }) {
    const skipped = new Map();
    for (const { testFilePath, testResults: tests } of testResults) {
      for (const { ancestorTitles, status } of tests) {
        const reason = ancestorTitles.map((title) => REASON.exec(title)?.[1]).find((found) => found);
        if (status !== 'pending' || reason === undefined) continue;
        const found = skipped.get(reason) ?? { tests: 0, files: new Set() };
        const file = SPEC_FILE.test(ancestorTitles[0]) ? ancestorTitles[0] : testFilePath;
        skipped.set(reason, { tests: found.tests + 1, files: found.files.add(file) });
      }
    }
    for (const [reason, found] of skipped) {
      const what = `${counted(found.tests, 'test')} in ${counted(found.files.size, 'file')}`;
      process.stderr.write(`\nSKIPPED: ${what}: ${reason}\n\n`);
    }
  }
}

function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
