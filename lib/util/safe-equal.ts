import { timingSafeEqual } from 'node:crypto';

/**
 * Whether two secrets are the same text, in a time that does not tell where they differ; it may tell that their lengths
 * do. What is missing or empty equals nothing, not even itself: the absence of a secret opens no door.
 */
export function safeEqual(a: string | null | undefined, b: string | null | undefined): boolean {
  if (!a || !b) return false;
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
