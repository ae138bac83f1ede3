import { request, type Agent } from 'node:http';

/** A response, with its headers as Node gives them. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface HttpCall {
  readonly port: number;
  readonly agent: Agent;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly token?: string | undefined;
  readonly body?: object | undefined;
  /** The longest wait, milliseconds; then the connection is cut. undefined: as long as it is there. */
  readonly patienceMs?: number | undefined;
}

/** Sends a request of a client that takes its tokens by header. @throws {Error} the connection was lost, or was cut here */
export async function sendCall({ token, body, patienceMs, ...target }: HttpCall): Promise<HttpResponse> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    'st-auth-mode': 'header',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(payload === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', ...target, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('error', reject);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    const timer =
      patienceMs === undefined
        ? undefined
        : setTimeout(() => sent.destroy(new Error('No response in time')), patienceMs);
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.on('close', () => clearTimeout(timer));
    sent.end(payload);
  });
}
