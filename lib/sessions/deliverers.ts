import type { AuditConfig } from '../audit/audit-options.js';
import { Deliverer } from '../audit/deliverer.js';
import type { CoreClient } from '../core/core-client.js';
import { SessionConfigError } from '../errors.js';
import type { Clock } from '../util/clock.js';

const NO_VALUES =
  'are given, but the store has no place where instances agree about who delivers: use a store of this library';

/** Makes what sends the records of the audit trail. @throws {SessionConfigError} the store cannot keep how far that is */
export function createDeliverers(
  config: AuditConfig | undefined,
  core: CoreClient,
  clock: Clock,
): readonly Deliverer[] {
  const { auditTrail: trail, sharedValues: values } = core;
  if (config === undefined || trail === undefined || config.deliveries.length === 0) return [];
  if (values === undefined) throw new SessionConfigError([{ path: 'audit.deliveries', message: NO_VALUES }]);
  const keepMs = config.keepForSec * 1000;
  return config.deliveries.map((delivery) => new Deliverer({ delivery, trail, values, clock, keepMs }));
}
