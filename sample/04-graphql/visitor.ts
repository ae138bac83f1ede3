import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** The result of an operation: its data, or the code of its error and the HTTP status. */
export type Outcome =
  { readonly data: unknown } | { readonly status: number; readonly code: string | undefined };

interface Result {
  readonly data?: unknown;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

/** A browser, as far as GraphQL and cookies go. */
export class Visitor {
  private readonly cookies = new Map<string, string>();

  constructor(private readonly origin: string) {}

  async ask(query: string): Promise<Outcome> {
    const response = await fetch(`${this.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'st-auth-mode': 'cookie', cookie: this.cookieHeader() },
      body: JSON.stringify({ query }),
    });
    this.keep(response.headers.getSetCookie());
    const { data, errors } = (await response.json()) as Result;
    const [error] = errors ?? [];
    return error === undefined ? { data } : { status: response.status, code: error.extensions?.code };
  }

  /** Subscribes; `next` returns one response after the other, and at last the close code of the connection. */
  watch(query: string): { next(): Promise<unknown> } {
    const headers = { origin: this.origin, cookie: this.cookieHeader() };
    class BrowserSocket extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, { headers });
      }
    }
    const client = createClient({
      url: `${this.origin.replace('http', 'ws')}/graphql`,
      webSocketImpl: BrowserSocket,
      retryAttempts: 0,
    });
    const results = client.iterate({ query });
    return {
      next: async () => {
        try {
          const { value } = await results.next();
          return (value as Result | undefined)?.data;
        } catch (error) {
          return { closedWith: (error as { code?: number }).code };
        }
      },
    };
  }

  private cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  private keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = ''] = line.split(';', 1);
      const [name = '', value = ''] = pair.split('=', 2);
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}
