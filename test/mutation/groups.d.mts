export const GROUPS: Readonly<
  Record<string, { readonly mutate: readonly string[]; readonly specs: readonly string[] }>
>;
