import { describeOnStorePairs } from '../support/store-pairs.js';
import { describeAuditTrail } from './audit-trail.contract.js';

await describeOnStorePairs(describeAuditTrail);
