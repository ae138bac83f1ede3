/** A `Set-Cookie` line, taken apart. */
export interface SetCookie {
  readonly line: string;
  readonly name: string;
  /** As sent: percent-encoded. */
  readonly value: string;
  readonly path: string | undefined;
  readonly domain: string | undefined;
  readonly expires: string | undefined;
  readonly maxAge: string | undefined;
  /** The attributes' names in lower case. */
  readonly attributes: readonly string[];
}

export function parseSetCookie(line: string): SetCookie {
  const [pair = '', ...rest] = line.split(';').map((part) => part.trim());
  const separator = pair.indexOf('=');
  const attributes = new Map(
    rest.map((attribute) => {
      const [key = '', value = ''] = attribute.split('=', 2);
      return [key.toLowerCase(), value] as const;
    }),
  );
  return {
    line,
    name: pair.slice(0, separator),
    value: pair.slice(separator + 1),
    path: attributes.get('path'),
    domain: attributes.get('domain'),
    expires: attributes.get('expires'),
    maxAge: attributes.get('max-age'),
    attributes: [...attributes.keys()],
  };
}

/** Whether a cookie takes itself away: an empty one, or one that has ended when it arrives. */
export function isDeletion({ value, expires, maxAge }: SetCookie, nowMs: number): boolean {
  if (value === '') return true;
  if (maxAge !== undefined) return Number(maxAge) <= 0;
  return expires !== undefined && Date.parse(expires) <= nowMs;
}
