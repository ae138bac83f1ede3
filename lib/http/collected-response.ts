import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { ExpressResponseSource } from './exchanges.js';

/**
 * A response that an adapter hands to its framework.
 *
 * @publicApi
 */
export interface SessionResponse {
  readonly status: number;
  /** Names in lower case and values, one pair for each line: there are several of `set-cookie`. */
  readonly headers: [name: string, value: string][];
  /** JSON, or empty. */
  readonly body: string;
}

type HeaderValue = number | string | readonly string[];

/**
 * Keeps what would go to the client. It has the members of a response of Node that the library uses, so that everything
 * which writes to those writes here.
 */
export class CollectedResponse implements ExpressResponseSource {
  statusCode = 200;
  private readonly headers = new Map<string, HeaderValue>();
  private body: string | undefined;
  private isFinished = false;

  get headersSent(): boolean {
    return this.isFinished || this.body !== undefined;
  }

  get writableEnded(): boolean {
    return this.headersSent;
  }

  getHeader(name: string): HeaderValue | undefined {
    return this.headers.get(name.toLowerCase());
  }

  /** @throws {TypeError} as Node does: no line may hold the end of another */
  setHeader(name: string, value: HeaderValue): void {
    validateHeaderName(name);
    for (const line of lines(value)) validateHeaderValue(name, line);
    this.headers.set(name.toLowerCase(), value);
  }

  removeHeader(name: string): void {
    this.headers.delete(name.toLowerCase());
  }

  /** The last look at the lines before they leave, as on a response of Node: what has become stale is taken out. */
  writeHead(): void {}

  end(text = ''): void {
    this.body ??= text;
  }

  /** Takes {@link finish} back, for an error that came before the application sent anything; a body that is there stays. */
  reopen(): void {
    this.isFinished = false;
  }

  /** Returns what has been written. The response counts as sent from now on, because later lines would reach no client. */
  finish(): SessionResponse {
    this.writeHead();
    this.isFinished = true;
    // The framework knows the length of what it sends, which may be compressed.
    const kept = [...this.headers].filter(([name]) => name !== 'content-length');
    const headers = kept.flatMap(([name, value]) =>
      lines(value).map((line): [string, string] => [name, line]),
    );
    return { status: this.statusCode, headers, body: this.body ?? '' };
  }
}

function lines(value: HeaderValue): string[] {
  return typeof value === 'object' ? value.map(String) : [String(value)];
}
