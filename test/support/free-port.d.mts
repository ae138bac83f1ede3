/** A port that was free a moment ago, for a server that does not say which one it got. */
export function freePort(): Promise<number>;
