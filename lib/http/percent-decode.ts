/** The text behind percent-encoding; as it is where it does not decode: somebody else's cookie need not be encoded. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
