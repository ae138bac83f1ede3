import { Agent, request as sendRequest } from 'node:http';
import { splitSetCookie } from '../../lib/http/set-cookie.js';

/** A request as it goes over the wire; a header that is a list is sent as several lines. */
export interface RequestToSend {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** On a connection of its own, for requests at which a server may hang up. */
  readonly isAlone?: boolean;
}

/** The response of the server, headers as sent and in their order. */
export interface ClientResponse {
  readonly status: number;
  readonly text: string;
  /** The body read as JSON. */
  readonly body: unknown;
  /** The names of the headers, in lower case, each once. */
  readonly names: readonly string[];
  /** All lines of a header. */
  lines(name: string): string[];
  /** The only line of a header; fails where there are several. */
  header(name: string): string | undefined;
  /** The `Set-Cookie` line of a cookie; fails where there are several. */
  setCookie(name: string): SetCookie | undefined;
}

/** A `Set-Cookie` line, taken apart. */
export interface SetCookie {
  readonly line: string;
  /** As sent: percent-encoded. */
  readonly value: string;
  readonly path: string | undefined;
  readonly domain: string | undefined;
  readonly expires: string | undefined;
  /** The attributes' names in lower case. */
  readonly attributes: readonly string[];
}

/** Sends requests to one server on the loopback and keeps its connections until it is closed. */
export class HttpClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(private readonly port: number) {}

  async send({ method = 'GET', path, headers = {}, body, isAlone }: RequestToSend): Promise<ClientResponse> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const given = Object.entries(headers).filter(([, value]) => value !== undefined);
    return new Promise((resolve, reject) => {
      const client = sendRequest(
        {
          host: '127.0.0.1',
          port: this.port,
          agent: isAlone === true ? false : this.agent,
          method,
          path,
          headers: {
            ...(payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
            ...(Object.fromEntries(given) as Record<string, string>),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve(new ReceivedResponse(response.statusCode ?? 0, text, response.rawHeaders));
          });
        },
      );
      client.on('error', reject);
      client.end(payload);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

/** A response with its headers as Node gives them: names and values in turn. */
export class ReceivedResponse implements ClientResponse {
  constructor(
    readonly status: number,
    readonly text: string,
    private readonly rawHeaders: readonly string[],
  ) {}

  get body(): unknown {
    return JSON.parse(this.text) as unknown;
  }

  get names(): readonly string[] {
    return [...new Set(this.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()))];
  }

  lines(name: string): string[] {
    return this.rawHeaders.filter(
      (_, i) => i % 2 === 1 && this.rawHeaders[i - 1]?.toLowerCase() === name.toLowerCase(),
    );
  }

  header(name: string): string | undefined {
    return onlyOne(this.lines(name), name);
  }

  /** The cookie that the response sets; where it only removes cookies of this name, the first removal. */
  setCookie(name: string): SetCookie | undefined {
    const found = this.lines('set-cookie')
      .filter((line) => line.startsWith(`${name}=`))
      .map(readSetCookie);
    const places = new Set(
      found.map(({ path, domain, attributes }) => `${path} ${domain} ${attributes.includes('partitioned')}`),
    );
    if (places.size < found.length)
      throw new Error(`The response has ${found.length} lines of Set-Cookie: ${name}`);
    return found.find(({ value }) => value !== '') ?? found[0];
  }
}

function readSetCookie(line: string): SetCookie {
  const { value, attributes } = splitSetCookie(line) ?? { value: '', attributes: new Map<string, string>() };
  return {
    line,
    value,
    path: attributes.get('path'),
    domain: attributes.get('domain'),
    expires: attributes.get('expires'),
    attributes: [...attributes.keys()],
  };
}

function onlyOne(lines: readonly string[], what: string): string | undefined {
  if (lines.length > 1) throw new Error(`The response has ${lines.length} lines of ${what}`);
  return lines[0];
}
