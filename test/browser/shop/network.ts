import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { SHOP_TLS } from './shop-tls.js';

/** The fate of a response: it arrives, it is lost and the connection breaks, or it arrives when a promise is kept. */
export type Fate = 'arrives' | 'is lost' | Promise<unknown>;

/**
 * The network between browsers and servers: https for every host, and a say in what becomes of each response after the
 * server has sent it. It moves bytes; requests are told apart by their first line (HTTP/1.1, one at a time per connection).
 */
export class Network {
  /** Asked once for each response, with the request's method and path: `POST /auth/session/refresh`. */
  fateOf: (request: string) => Fate = () => 'arrives';
  private readonly ports = new Map<string, number>();
  private readonly sockets = new Set<{ destroy(): unknown }>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer(SHOP_TLS, (browser) => {
      this.join(browser);
    });
  }

  static async start(): Promise<Network> {
    const network = new Network();
    network.server.listen(0, '127.0.0.1');
    await once(network.server, 'listening');
    return network;
  }

  /** The address to which all host names have to lead. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Requests to a host go to this port from now on; new connections only. */
  lead(host: string, port: number): void {
    this.ports.set(host, port);
  }

  /**
   * Opens a connection to a host and sends nothing over it, as Chromium does ahead when several requests start at once. A
   * server that closes waits for such a connection without end.
   *
   * @returns closes it
   */
  openUnused(host: string): () => void {
    const unused = connect(this.ports.get(host) ?? 0, '127.0.0.1');
    unused.on('error', () => unused.destroy());
    return () => unused.destroy();
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(browser: TLSSocket): void {
    const server = connect(this.ports.get(String(browser.servername)) ?? 0, '127.0.0.1');
    const ends = [browser, server];
    const breakOff = (): void => ends.forEach((socket) => socket.destroy());
    for (const socket of ends) {
      this.sockets.add(socket);
      socket.on('error', breakOff);
      socket.on('close', () => {
        this.sockets.delete(socket);
        breakOff();
      });
    }
    let request = '';
    let isFirstOfResponse = false;
    let delivered: Promise<unknown> = Promise.resolve();
    browser.on('data', (bytes: Buffer) => {
      const line = /^([A-Z]+ \/\S*) HTTP\/1\.1\r\n/.exec(bytes.toString('latin1'))?.[1];
      if (line !== undefined) [request, isFirstOfResponse] = [line, true];
      server.write(bytes);
    });
    server.on('data', (bytes: Buffer) => {
      const fate = isFirstOfResponse ? this.fateOf(request) : 'arrives';
      isFirstOfResponse = false;
      if (fate === 'is lost') return breakOff();
      delivered = Promise.all([delivered, fate]).then(() => browser.write(bytes));
    });
  }
}
