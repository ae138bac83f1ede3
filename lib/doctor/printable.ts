const MAX_LENGTH = 120;
const UNPRINTABLE = /[^ -~]/g;
/** Control characters, and the marks that turn the direction of text. */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}]/gu;

/** Returns a sentence of ours for terminals; it may quote the API, the name of a cookie for example. */
export function cleanText(text: string): string {
  return text.replaceAll(CONTROLS, '?');
}

/**
 * Quotes a text of the API for terminals: without control characters, cut to 120. Only for headers that never hold a
 * secret.
 */
export function quote(text: string): string {
  const clean = text.replaceAll(UNPRINTABLE, '?');
  return `"${clean.length > MAX_LENGTH ? `${clean.slice(0, MAX_LENGTH)}…` : clean}"`;
}

/** Origin and path of an address, because a query or the part before an `@` may hold a secret. */
export function addressWithoutSecrets(address: string, base: string): string {
  if (!URL.canParse(address, base)) return quote(address.split(/[?#]/, 1)[0] ?? '');
  const { origin, host, protocol, pathname } = new URL(address, base);
  return `${origin === 'null' ? `${protocol}//${host}` : origin}${pathname}`.replaceAll(UNPRINTABLE, '?');
}
