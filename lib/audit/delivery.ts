import { recogniseCopies } from '../util/copies.js';
import type { AuditRecord } from './audit-record.js';

/**
 * A receiver of audit records: each that it wants is delivered at least once, those of one session in their order, by one instance at a
 * time. Made by `webhook()` and `securityEvents()`.
 *
 * @publicApi
 */
export interface AuditDelivery {
  /** Names it among the deliveries of all instances: its position is kept under this name. 1 to 40 small letters, digits and `-`. */
  readonly name: string;
  /** How often a record is tried before it is given up. Default 10, which takes about 50 minutes. */
  readonly maxAttempts?: number;
  wants(record: AuditRecord): boolean;
  /** Delivers a record. A rejection is a failed attempt; see {@link DeliveryError}. */
  deliver(record: AuditRecord, signal: AbortSignal): Promise<void>;
}

/**
 * The failure of an attempt to deliver a record. `isFinal`: no repetition can help, so the record is given up at once.
 *
 * @publicApi
 */
export class DeliveryError extends Error {
  static {
    recogniseCopies(this, 'DeliveryError');
  }

  override readonly name = 'DeliveryError';
  readonly isFinal: boolean;
  /** The earliest next attempt, milliseconds from now; undefined: as the library chooses. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    { isFinal = false, retryAfterMs }: { isFinal?: boolean; retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
    this.isFinal = isFinal;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Returns whether a value is a delivery. */
export function isDelivery(value: unknown): value is AuditDelivery {
  if (typeof value !== 'object' || value === null) return false;
  const { name, wants, deliver } = value as Partial<Record<keyof AuditDelivery, unknown>>;
  const isName = typeof name === 'string' && /^[a-z0-9-]{1,40}$/.test(name);
  return isName && typeof wants === 'function' && typeof deliver === 'function';
}
