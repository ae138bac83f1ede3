import { createHmac } from 'node:crypto';
import type { AuditKind, AuditRecord } from '../audit/audit-record.js';
import { DeliveryError, type AuditDelivery } from '../audit/delivery.js';
import { assertDeliveryUrl, postOnce, readMaxAttempts } from './post.js';

/**
 * The address that records go to, and the secret that they are signed with.
 *
 * @publicApi
 */
export interface WebhookOptions {
  /** The receiver: `https:`, or `http:` on a loopback address. Redirects are failures. */
  readonly url: string;
  /**
   * `whsec_` and the base64 of 24 to 64 random bytes, as Standard Webhooks asks for. With several, each record has a signature by each, so
   * that a receiver can change from one to the other.
   */
  readonly secret: string | readonly string[];
  /** Names the delivery; needed where there are several. Default `webhook`. */
  readonly name?: string;
  /** Default: all kinds but `delivery.failed`. */
  readonly kinds?: readonly AuditKind[];
  /** How often a record is tried before it is given up, 1 to 100. Default 10, which takes about 50 minutes. */
  readonly maxAttempts?: number;
}

/**
 * Sends records to a URL, signed as Standard Webhooks says: `webhook-id` (the same for each attempt), `webhook-timestamp` (of the
 * attempt), `webhook-signature`. The body is `{ "type", "timestamp", "data" }`, where `data` is the record. A response of 2xx accepts it; 410
 * gives it up; anything else is tried again, after `Retry-After` if there is one.
 *
 * @throws {TypeError} an option is wrong
 * @see https://www.standardwebhooks.com
 * @publicApi
 */
export function webhook(options: WebhookOptions): AuditDelivery {
  const { url, secret, name = 'webhook', kinds, maxAttempts } = options;
  assertDeliveryUrl('webhook', url);
  const keys = (typeof secret === 'string' ? [secret] : secret).map(readSecret);
  if (keys.length === 0) throw new TypeError('webhook: secret: at least one is expected');
  return {
    name,
    ...readMaxAttempts('webhook', maxAttempts),
    wants: ({ kind }) => kinds?.includes(kind) ?? true,
    deliver: async (record, signal) => {
      const body = webhookBody(record);
      const timestamp = String(Math.floor(Date.now() / 1000));
      const signed = `${record.id}.${timestamp}.${body}`;
      const signatures = keys.map((key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
      const headers = {
        'content-type': 'application/json',
        'webhook-id': record.id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signatures.join(' '),
      };
      const { status, retryAfterMs } = await postOnce(url, { headers, body, signal });
      if (status >= 200 && status < 300) return;
      throw new DeliveryError(`The receiver responded with ${status}`, {
        isFinal: status === 410,
        retryAfterMs,
      });
    },
  };
}

function webhookBody(record: AuditRecord): string {
  return JSON.stringify({
    type: record.kind,
    timestamp: new Date(record.timeMs).toISOString(),
    data: record,
  });
}

/** The message never shows the secret. */
function readSecret(secret: string): Buffer {
  const [, text] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const key = Buffer.from(text ?? '', 'base64');
  if (key.length >= 24 && key.length <= 64) return key;
  throw new TypeError('webhook: secret: "whsec_" and the base64 of 24 to 64 random bytes are expected');
}
