import { describeOnStorePairs } from '../support/store-pairs.js';
import { describeDelegation } from './delegation.contract.js';

await describeOnStorePairs(describeDelegation);
