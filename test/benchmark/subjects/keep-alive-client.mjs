import { connect } from 'node:net';

const END_OF_HEAD = '\r\n\r\n';
const TIMEOUT_MS = 10_000;

/**
 * One connection that asks one thing at a time. Written on the bare socket, so that the load costs the machine little: it
 * reads responses with a `Content-Length` or without a body, which is what the servers here send.
 */
export class KeepAliveClient {
  constructor(port) {
    this.port = port;
    this.open();
  }

  /**
   * Servers close connections on which nothing happens for some seconds, now and then just when a request is on its way: then nothing has
   * come back, and the request is sent once more.
   *
   * @returns {Promise<{ status: number, head: string, body: string }>}
   */
  async send(method, path, headers = {}, body = '') {
    try {
      return await this.sendOnce(method, path, headers, body);
    } catch (error) {
      if (error.code !== 'ECONNRESET' || this.received !== '') throw error;
      return this.sendOnce(method, path, headers, body);
    }
  }

  sendOnce(method, path, headers, body) {
    if (this.socket.destroyed || this.socket.readableEnded) this.open();
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const length = method === 'GET' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const type = body === '' ? '' : 'Content-Type: application/json\r\n';
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(
        `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\n${type}${length}${lines.join('')}\r\n${body}`,
      );
    });
  }

  close() {
    this.waiting = undefined;
    this.socket.destroy();
  }

  open() {
    this.received = '';
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    const fail = (error) => {
      if (this.socket === socket) this.waiting?.reject(error);
    };
    socket.setEncoding('latin1');
    socket.setTimeout(TIMEOUT_MS, () => {
      if (this.waiting) socket.destroy(new Error('The server does not respond'));
    });
    socket.on('data', (text) => this.receive(text));
    socket.on('error', fail);
    socket.on('close', () =>
      fail(Object.assign(new Error('The server closed the connection'), { code: 'ECONNRESET' })),
    );
    this.socket = socket;
  }

  receive(text) {
    this.received += text;
    const end = this.received.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const head = this.received.slice(0, end);
    const bodyAt = end + END_OF_HEAD.length;
    const length = Number(headerOf(head, 'content-length') ?? 0);
    if (this.received.length < bodyAt + length) return;
    const body = this.received.slice(bodyAt, bodyAt + length);
    this.received = this.received.slice(bodyAt + length);
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), head, body });
  }
}

/** The value of a header, undefined if it is not there. */
export function headerOf(head, name) {
  return new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1];
}
