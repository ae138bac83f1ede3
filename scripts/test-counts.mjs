// node scripts/test-counts.mjs REPORT: how many tests of a JSON report of Jest passed and failed, then the failed ones, a line each.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { argv, cwd } from 'node:process';

const report = JSON.parse(readFileSync(argv[2], 'utf8'));
console.log(report.numPassedTests, report.numFailedTests + report.numRuntimeErrorTestSuites);
for (const { name, assertionResults, status, message } of report.testResults) {
  const failed = assertionResults.filter((test) => test.status === 'failed');
  for (const { fullName, failureMessages } of failed)
    console.log(`${relative(cwd(), name)}: ${fullName}: ${firstLine(failureMessages[0])}`);
  if (status === 'failed' && failed.length === 0)
    console.log(`${relative(cwd(), name)}: ${firstLine(message)}`);
}

function firstLine(text = '') {
  return text.trim().split('\n')[0].slice(0, 200);
}
