/** The port of an example, and the API that its users sign in to. */
export interface Settings {
  /** 0 takes a free one. */
  readonly port: number;
  /** Origin of the Nest application: its keys are fetched there, and refreshes are forwarded there. */
  readonly apiDomain: string;
}

/** An example that listens. */
export interface Running {
  readonly origin: string;
  close(): Promise<void>;
}
