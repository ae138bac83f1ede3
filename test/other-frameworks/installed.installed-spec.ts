import { beforeAll, describe } from '@jest/globals';
import { INSTALLED, prepare, startInstalled } from '../../sample/08-other-frameworks/installed.js';
import { guardedService } from './guarded-service.contract.js';

// Run by `npm run test:consumers -- other-frameworks`: it installs packages, and needs what `npm run build` makes.
describe.each(Object.keys(INSTALLED))('the sample on %s, in a process of its own', (name) => {
  beforeAll(() => prepare(name));
  guardedService((settings) => startInstalled(name, settings));
});
