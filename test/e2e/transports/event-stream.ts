import { get, type IncomingMessage } from 'node:http';
import type { SessionClient } from '../../support/session-client.js';
import type { TestApplication } from '../../support/test-application.js';

/** A page with an `EventSource`. */
export class EventStream {
  private static readonly opened: IncomingMessage[] = [];

  private constructor(private readonly response: IncomingMessage) {}

  static async open(
    { port }: TestApplication,
    client: SessionClient,
    path = '/prices',
    proof: Readonly<Record<string, string>> = {},
  ): Promise<EventStream> {
    const headers = { authorization: `Bearer ${client.accessToken ?? ''}`, ...proof };
    return new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        EventStream.opened.push(response);
        resolve(new EventStream(response));
      }).on('error', reject);
    });
  }

  /** An application does not close while a stream is open. */
  static closeAll(): void {
    for (const response of EventStream.opened.splice(0)) response.destroy();
  }

  get status(): number | undefined {
    return this.response.statusCode;
  }

  /** Resolves with the first event that carries data. */
  async first(): Promise<string> {
    for await (const chunk of this.response.iterator({ destroyOnReturn: false })) {
      const data = /^data: (.*)$/m.exec(String(chunk))?.[1];
      if (data !== undefined) return data;
    }
    throw new Error('The stream ended without data');
  }

  /** Resolves when the server has ended the stream. */
  async ended(): Promise<void> {
    this.response.resume();
    await new Promise((resolve) => this.response.once('end', resolve));
  }
}
