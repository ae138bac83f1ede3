import type { IncomingMessage, ServerResponse } from 'node:http';
import { CdiRefusal } from './cdi-refusal.js';
import type { CdiServer } from './cdi-server.js';

/** Longest body that is read, in bytes. A Core's container has no such limit; ten access tokens fit in. */
export const MAX_BODY_BYTES = 1_048_576;

/** Answers one request of a Node server. Never rejects; a client that has left gets nothing. */
export async function serveCdi(server: CdiServer, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const answer = await server.answer({
    method: req.method ?? '',
    url: req.url ?? '',
    header: (name) => readHeader(req, name),
    readBody: () => readBounded(req, MAX_BODY_BYTES),
  });
  if (res.destroyed || res.headersSent) return;
  res.writeHead(answer.status, { ...answer.headers, 'Content-Length': Buffer.byteLength(answer.body) });
  res.end(answer.body);
}

/**
 * Reads a body into memory, but no more than the limit.
 *
 * @throws {CdiRefusal} 413 as soon as it is longer; the rest is read and dropped, so that the client gets the answer
 */
export async function readBounded(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (req.readableEnded) throw new Error('The body was read before it reached the served core');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length <= maxBytes) return void chunks.push(chunk);
      chunks.length = 0;
      req.off('data', take).resume();
      reject(new CdiRefusal(413, `The body is longer than ${maxBytes} bytes`));
    };
    // Whoever leaves in the middle gets no answer; it must only not look like a failure of ours.
    const left = (): void => reject(new CdiRefusal(400, 'Invalid Json Input'));
    req.on('data', take);
    req.once('end', () => resolve(Buffer.concat(chunks)));
    req.once('error', left).once('close', left);
  });
}

function readHeader(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
