/** The place of the sessions. */
export type StorePlace =
  | { readonly kind: 'postgres' | 'redis'; readonly url: string }
  | { readonly kind: 'sqlite'; readonly file: string };

/** How an instance is set up. */
export interface InstanceSettings {
  readonly store: StorePlace;
  readonly framework: 'express' | 'fastify';
  readonly antiCsrf: 'VIA_TOKEN' | 'NONE';
  readonly accessValiditySec: number;
  readonly refreshValiditySec: number;
  readonly signingAlgorithm: 'ES256' | 'RS256';
  readonly pollMs: number;
  /** Connections of a pool. */
  readonly connections: number;
  /** The longest wait for the store. */
  readonly patienceMs: number;
  /** The time of day at the zero of the machine's monotonic clock, milliseconds since the epoch. */
  readonly epochMs: number;
  /** How far the clock of this instance is ahead of that, milliseconds. */
  readonly offsetMs: number;
}

/** Orders of an administrator, who needs no session. */
export type AdministratorOrder =
  | { readonly kind: 'merge' | 'claim'; readonly sessionHandle: string; readonly name: string }
  | { readonly kind: 'read' | 'revoke'; readonly sessionHandle: string }
  | { readonly kind: 'revoke-user'; readonly userId: string; readonly tenantId: string }
  | { readonly kind: 'revoke-all'; readonly tenantId: string };

/** The memory and the handles that an instance has at a moment. */
export interface Usage {
  readonly heapBytes: number;
  readonly residentBytes: number;
  /** Timers, sockets and other things that keep a process alive. */
  readonly handles: number;
  readonly fileDescriptors: number;
}
