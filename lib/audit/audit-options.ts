import { isDelivery, type AuditDelivery } from './delivery.js';
import { wholeNumber } from '../options/option-checks.js';
import { group, option, type Check, type OptionsOf, type Resolved } from '../options/option-table.js';

const DAY_SEC = 86_400;
const keptSec = wholeNumber(60, 36_500 * DAY_SEC);

const deliveries: Check<readonly AuditDelivery[]> = (value) => {
  if (!Array.isArray(value) || !value.every(isDelivery))
    throw new Error('an array of deliveries is expected, as webhook() and securityEvents() make them');
  const names = value.map(({ name }) => name);
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice === undefined) return value;
  throw new Error(`two deliveries have the name ${twice}: give each its own, by which its position is kept`);
};

/** The options in `audit`. */
export const AUDIT_OPTIONS = {
  /**
   * How long records are kept, seconds; 60 to 3,153,600,000 (100 years). A change holds for records that are written afterwards.
   * @defaultValue 2,592,000 (30 days)
   */
  keepForSec: option(keptSec, 30 * DAY_SEC),
  /**
   * The same for the records of ended sessions, which are their history.
   * @defaultValue 7,776,000 (90 days)
   */
  keepEndedForSec: option(keptSec, 90 * DAY_SEC),
  /**
   * The receivers of records: `webhook()`, `securityEvents()`. Each record is sent until it has arrived, so perhaps more than once, or is given up after
   * several attempts, which is a record of its own; those of one session are sent in their order. One instance at a time does it.
   * @defaultValue none
   */
  deliveries: option(deliveries, []),
};

/**
 * The option `audit` of the module.
 *
 * @publicApi
 */
export interface AuditOptions extends OptionsOf<typeof AUDIT_OPTIONS> {}

/** The option after reading. */
export type AuditConfig = Resolved<typeof AUDIT_OPTIONS>;

const auditGroup = group(AUDIT_OPTIONS, 'true, false or an object');

const audit: Check<boolean | AuditOptions, AuditConfig | undefined> = (value, place) => {
  if (value === false) return undefined;
  return auditGroup(value === true ? {} : value, place);
};

/** The options about the records of what happens to sessions. */
export const AUDIT_TRAIL_OPTIONS = {
  /**
   * Keeps records of what begins, changes and ends sessions, with reason and initiator, in the store: in the same transaction as the change
   * itself, so that a crash loses none. `readAudit` reads them. `true`: with the defaults. Use the same value in all instances. An
   * embedded core is needed, or a served one with the option of its own. See docs/guides/audit-trail.md.
   * @defaultValue false
   */
  audit: option<boolean | AuditOptions, AuditConfig | undefined>(audit),
};

/** The problem of a core that keeps no audit trail. */
export const NO_AUDIT_TRAIL =
  'needs a core that writes records with its own changes: embeddedCore() with a store of this library. A SuperTokens Core cannot, and ' +
  'records beside it would miss what others do. For a served core set audit at its SessionCoreModule, and leave it out here';

/** The problem of deliveries at a served core. */
export const NO_DELIVERIES_HERE =
  'has deliveries, which a served core does not make: give them to a SessionModule whose embedded core works on the same store';
