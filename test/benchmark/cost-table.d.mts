export function costTable(
  published: Readonly<Record<string, { readonly figures?: Readonly<Record<string, number>> }>>,
): string;
