const MAX_LENGTH = 120;
const UNPRINTABLE = /[^ -~]/g;
/** Control characters, and the marks that turn the direction of text. */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}]/gu;

/** A sentence of ours, in which a stranger's words may stand: the name of a cookie, for example. */
export function forTerminals(text: string): string {
  return text.replaceAll(CONTROLS, '?');
}

/**
 * A text that a stranger sent, for a terminal: in quotes, without control characters, cut. Only for headers that never
 * hold a secret.
 */
export function quote(text: string): string {
  const clean = text.replaceAll(UNPRINTABLE, '?');
  return `"${clean.length > MAX_LENGTH ? `${clean.slice(0, MAX_LENGTH)}…` : clean}"`;
}

/** Origin and path of an address: what stands in a query or before an `@` may be a secret. */
export function addressWithoutSecrets(address: string, base: string): string {
  if (!URL.canParse(address, base)) return quote(address.split(/[?#]/, 1)[0] ?? '');
  const { origin, host, protocol, pathname } = new URL(address, base);
  return `${origin === 'null' ? `${protocol}//${host}` : origin}${pathname}`.replaceAll(UNPRINTABLE, '?');
}
