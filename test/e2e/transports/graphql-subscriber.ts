import { createClient, type Client } from 'graphql-ws';
import { WebSocket, type ClientOptions } from 'ws';
import type { SessionClient } from '../../support/session-client.js';
import { SHOP } from '../../support/test-application.js';
import type { GraphqlResponse } from './graphql-application.js';

/** A connection for subscriptions, as a browser or an app opens it. */
export interface Subscriber {
  /** The first response to an operation, data or errors. */
  first(query: string): Promise<GraphqlResponse>;
  /** Close code, once the server has hung up. */
  readonly closed: Promise<number>;
}

export interface SubscriberOptions {
  readonly headers?: ClientOptions['headers'];
  readonly connectionParams?: Readonly<Record<string, unknown>>;
}

/** @param clients takes the client, which the test disposes of */
export function openSubscriber(
  port: number,
  { headers = {}, connectionParams }: SubscriberOptions,
  clients: Client[],
): Subscriber {
  class Socket extends WebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol, { headers });
    }
  }
  let hangUp: (code: number) => void = () => undefined;
  const closed = new Promise<number>((resolve) => (hangUp = resolve));
  const client = createClient({
    url: `ws://127.0.0.1:${port}/graphql`,
    webSocketImpl: Socket,
    retryAttempts: 0,
    ...(connectionParams === undefined ? {} : { connectionParams }),
    on: { closed: (event) => hangUp((event as { code: number }).code) },
  });
  clients.push(client);
  return {
    closed,
    first: (query) =>
      new Promise((resolve) => {
        client.subscribe(
          { query },
          {
            next: (response) => resolve(response as GraphqlResponse),
            error: (error) => resolve({ errors: Array.isArray(error) ? (error as never) : [] }),
            complete: () => undefined,
          },
        );
      }),
  };
}

/** As a browser on a page of this origin connects. */
export function browserOn(origin: string, client: SessionClient): SubscriberOptions {
  return { headers: { origin, cookie: `sAccessToken=${client.cookie('sAccessToken') ?? ''}` } };
}

/** As a script that holds its token does. */
export function scriptWith(client: SessionClient): SubscriberOptions {
  return {
    headers: { origin: SHOP.websiteDomain },
    connectionParams: { Authorization: `Bearer ${client.accessToken ?? ''}` },
  };
}
