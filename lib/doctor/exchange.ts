import { parseJsonObject, type JsonObject } from '../util/json.js';

/** A response as it came over the wire. */
export interface RecordedResponse {
  readonly status: number;
  /** Every header line, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A request that was sent, with its response or failure. */
export interface RecordedExchange {
  readonly method: string;
  readonly url: string;
  /** The local clock, milliseconds since the epoch. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  /** Over https: whether Node trusts the certificate of the server; absent where it does not say. */
  readonly hasTrustedCertificate?: boolean;
  /** Absent when no response arrived; `failure` then has the reason. */
  readonly response?: RecordedResponse;
  /** A code of Node (`ECONNREFUSED`) or `TIMEOUT`. */
  readonly failure?: string;
}

/** All lines of a header; none when no response arrived. */
export function headerLines(exchange: RecordedExchange | undefined, name: string): string[] {
  const headers = exchange?.response?.headers ?? [];
  return headers.filter(([each]) => each === name).map(([, value]) => value);
}

/** A header as browsers read it: several lines are joined by commas. */
export function readHeader(exchange: RecordedExchange | undefined, name: string): string | undefined {
  const lines = headerLines(exchange, name);
  return lines.length === 0 ? undefined : lines.join(', ');
}

/** The members of a header that is a list, in lower case. */
export function readHeaderList(exchange: RecordedExchange | undefined, name: string): string[] {
  const members = (readHeader(exchange, name) ?? '').split(',');
  return members.map((member) => member.trim().toLowerCase()).filter((member) => member !== '');
}

/** True for a response that redirects the client. */
export function isRedirect(exchange: RecordedExchange): boolean {
  const status = exchange.response?.status ?? 0;
  return status >= 300 && status < 400 && status !== 304;
}

/** The response, unless it is missing or a redirect. */
export function finalResponse(exchange: RecordedExchange | undefined): RecordedResponse | undefined {
  return exchange === undefined || isRedirect(exchange) ? undefined : exchange.response;
}

/** True for a response with a status of success. */
export function isSuccess(exchange: RecordedExchange | undefined): boolean {
  const status = finalResponse(exchange)?.status ?? 0;
  return status >= 200 && status < 300;
}

/** The exchanges that took place: undefined ones are left out. */
export function presentExchanges(
  ...exchanges: readonly (RecordedExchange | undefined)[]
): RecordedExchange[] {
  return exchanges.filter((exchange) => exchange !== undefined);
}

/** The body as a JSON object, or undefined when it is none. */
export function jsonBody(response: RecordedResponse | undefined): JsonObject | undefined {
  return parseJsonObject(response?.body ?? '');
}

/** The name of an exchange in a finding: `POST /auth/session/refresh`. */
export function exchangeName(exchange: RecordedExchange): string {
  return `${exchange.method} ${new URL(exchange.url).pathname}`;
}
