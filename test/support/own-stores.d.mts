export const OWN_STORES: readonly string[];
