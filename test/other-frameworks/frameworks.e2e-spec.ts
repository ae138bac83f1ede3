import { describe } from '@jest/globals';
import { FRAMEWORKS } from '../../sample/08-other-frameworks/frameworks.js';
import { guardedService } from './guarded-service.contract.js';

describe.each(Object.entries(FRAMEWORKS))('the sample on %s', (_name, start) => {
  guardedService(start, ['TRACE', 'PROPFIND']);
});
