// npm run test:integration: the part of the tests that `npm test` leaves out (test/together/members.cjs). Arguments go to jest.
import { argv, env, exit } from 'node:process';
import { runNode } from '../test/support/run-node.mjs';

const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
exit(await runNode([...jest, ...argv.slice(2)], { env: { ...env, TEST_PART: 'integration' } }));
