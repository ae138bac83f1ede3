import { timingSafeEqual } from 'node:crypto';

/**
 * Compares two secrets in a time that does not reveal where they differ; it can reveal that their lengths differ. A missing
 * or empty secret is never equal, not even to another missing one, so that an absent secret gives no access.
 */
export function safeEqual(a: string | null | undefined, b: string | null | undefined): boolean {
  if (!a || !b) return false;
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
