type Part = Readonly<Record<string, unknown>>;

/** The header of a JWT, unverified. */
export function jwtHeader(token: string | undefined): Part {
  return partOf(token, 0);
}

/** The claims of a JWT, unverified. */
export function jwtClaims(token: string | undefined): Part {
  return partOf(token, 1);
}

function partOf(token: string | undefined, index: number): Part {
  const part = token?.split('.')[index] ?? '';
  return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Part;
}
